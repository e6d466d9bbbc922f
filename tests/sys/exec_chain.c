/* exec of oneself a hundred times: the process stays the same, its descriptors and children too. */
/* test: layouts heap corners timeout=60 */
#include "check.h"

int main(int argc, char **argv)
{
	char left[16], pid[16];
	int n = argc > 1 ? atoi(argv[1]) : 100;

	if (argc > 2)
		NEED(atoi(argv[2]) == getpid());
	if (n == 0) {
		int status;

		SHOW(lseek(3, 0, SEEK_END));
		NEED(wait(&status) > 0);
		show_status("child of the first program", status);
		return 0;
	}
	if (argc == 1) {
		NEED(open("f", O_RDWR | O_CREAT | O_APPEND, 0600) == 3);
		if (fork() == 0)
			_exit(31);
	}
	NEED(write(3, "x", 1) == 1);
	snprintf(left, sizeof(left), "%d", n - 1);
	snprintf(pid, sizeof(pid), "%d", getpid());
	execl(argv[0], argv[0], left, pid, NULL);
	return 98;
}
