/* argv[0] is what exec was given: another name, an empty one, none at all. */
#include <sys/auxv.h>
#include "check.h"

static const char *self;

static void again(char **argv)
{
	char *envp[] = { "AGAIN=1", NULL };
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		execve(self, argv, envp);
		_exit(98);
	}
	reap("again", pid);
}

int main(int argc, char **argv)
{
	if (getenv("AGAIN")) {
		char exe[PATH_MAX] = "";

		printf("argc %d argv[0] [%s]\n", argc, argv[0] ? argv[0] : "(null)");
		NEED(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
		puts(strrchr(exe, '/'));
		puts(program_invocation_short_name);
		return 0;
	}
	self = argv[0];
	again((char *[]){ "another name", NULL });
	again((char *[]){ "/path/to/other", "x", NULL });
	again((char *[]){ "", NULL });
	again((char *[]){ NULL });
	return 0;
}
