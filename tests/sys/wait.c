/* wait4 and waitid in all their forms. */
#include <sys/resource.h>
#include "check.h"

static int hold[2];

static int wait_then(void)
{
	char c;

	close(hold[1]);
	return read(hold[0], &c, 1) == 1 ? 33 : 44;
}

int main(void)
{
	int status = 0;
	siginfo_t info;
	struct rusage usage;
	pid_t a, b;

	OUTCOME(wait(&status));
	NEED(pipe(hold) == 0);
	a = spawn(wait_then);
	SHOW(waitpid(a, &status, WNOHANG));
	memset(&info, 0x55, sizeof(info));
	SHOW(waitid(P_PID, (id_t)a, &info, WEXITED | WNOHANG));
	SHOW(info.si_pid);
	send_byte(hold[1]);
	memset(&info, 0, sizeof(info));
	SHOW(waitid(P_PID, (id_t)a, &info, WEXITED | WNOWAIT));
	SHOW(info.si_pid == a);
	SHOW(info.si_status);
	SHOW(info.si_code == CLD_EXITED);
	SHOW(info.si_signo == SIGCHLD);
	SHOW(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
	SHOW(info.si_pid == a);
	SHOW(wait4(-1, &status, 0, &usage) == a);
	show_status("a", status);
	SHOW(usage.ru_maxrss > 0);
	OUTCOME(waitpid(a, &status, 0));

	b = fork();
	NEED(b >= 0);
	if (b == 0) {
		setpgid(0, 0);
		_exit(wait_then());
	}
	setpgid(b, b);
	OUTCOME(waitpid(0, &status, WNOHANG));
	close(hold[1]);
	SHOW(waitpid(-b, &status, 0) == b);
	show_status("b", status);
	a = fork();
	NEED(a >= 0);
	if (a == 0)
		for (;;)
			pause();
	NEED(kill(a, SIGTERM) == 0);
	SHOW(waitid(P_PID, (id_t)a, NULL, WEXITED));
	OUTCOME(waitid(P_PID, (id_t)a, &info, WEXITED));
	OUTCOME(waitid(P_ALL, 0, &info, 0));
	OUTCOME(wait4(-1, &status, 0x10000000, NULL));
	return 0;
}
