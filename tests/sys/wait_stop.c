/* A child stopped and continued by SIGSTOP and SIGCONT, as wait sees it. */
#include "check.h"

int main(void)
{
	int status, fds[2];
	char c;
	siginfo_t info;
	pid_t pid;

	NEED(pipe(fds) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		send_byte(fds[1]);
		raise(SIGSTOP);
		send_byte(fds[1]);
		for (;;)
			pause();
	}
	SHOW(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("raised", status);
	wait_byte(fds[0]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	OUTCOME(read(fds[0], &c, 1));
	fcntl(fds[0], F_SETFL, 0);
	NEED(kill(pid, SIGCONT) == 0);
	SHOW(waitpid(pid, &status, WCONTINUED) == pid);
	show_status("after SIGCONT", status);
	wait_byte(fds[0]);
	NEED(kill(pid, SIGSTOP) == 0);
	SHOW(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	SHOW(info.si_code == CLD_STOPPED);
	SHOW(info.si_status == SIGSTOP);
	NEED(kill(pid, SIGTERM) == 0);
	SHOW(waitpid(pid, &status, WNOHANG));
	NEED(kill(pid, SIGCONT) == 0);
	while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status))
		;
	show_status("end", status);
	return 0;
}
