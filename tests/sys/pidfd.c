/* pidfd: opened, polled, signalled, waited for. */
#include <sys/pidfd.h>
#include "check.h"

static int for_ever(void)
{
	for (;;)
		pause();
	return 0;
}

int main(void)
{
	pid_t pid = spawn(for_ever);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	siginfo_t info;

	NEED(fd >= 0);
	SHOW(poll(&p, 1, 20));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	SHOW(poll(&p, 1, 5000));
	SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	SHOW(info.si_status == SIGTERM);
	OUTCOME(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	OUTCOME(syscall(SYS_pidfd_open, 99999999, 0));
	return 0;
}
