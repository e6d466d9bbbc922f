/* A daemon's habit: close everything up to 1024, and close_range; then work goes on. */
#include "check.h"

int main(void)
{
	int out = dup(1), closed = 0;

	SHOW(dup2(out, 700));
	for (int fd = 3; fd < 1024; fd++)
		if (fd != 700)
			closed += close(fd) == 0;
	SHOW(closed);
	SHOW(open("/dev/null", O_RDONLY));
	SHOW(dup2(700, 5));
	SHOW(syscall(SYS_close_range, 3, ~0U, 0));
	OUTCOME(fcntl(700, F_GETFD));
	SHOW(open("/dev/null", O_RDONLY));
	for (int fd = 0; fd < 3; fd++)
		if (fd != 1)
			close(fd);
	SHOW(open("/dev/null", O_RDONLY));
	return system("echo still working; ls /proc/self/fd | wc -l");
}
