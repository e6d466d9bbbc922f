/* test: heap */
/* The environment is the one given, in order, and nothing else. */
#include "check.h"

extern char **environ;

int main(int argc, char **argv)
{
	for (char **e = environ; *e; e++)
		puts(*e);
	SHOW(argc);
	SHOW(argv[argc] == NULL);
	SHOW(getenv("LD_PRELOAD") == NULL);
	setenv("MV_TEST_ADDED", "by the program", 1);
	unsetenv("HOME");
	return system("echo $MV_TEST_ADDED $HOME.; env | grep -c ^MV_TEST_ADDED");
}
