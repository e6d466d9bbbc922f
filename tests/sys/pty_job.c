/*
 * test: timeout=60
 * A terminal of one's own and a job on it: Ctrl-C, Ctrl-Z, continued in the background and in the foreground, Ctrl-\, a read from the
 * background, a change of size, the end of the terminal.
 */
#include <sys/ioctl.h>
#include <termios.h>
#include "check.h"

static int master;
static void size_changed(int sig)
{
	struct winsize w;

	(void)sig;
	NEED(ioctl(STDIN_FILENO, TIOCGWINSZ, &w) == 0);
	NEED(write(STDOUT_FILENO, w.ws_col == 99 && w.ws_row == 33 ? "w" : "?", 1) == 1);
}

/* The job: tells what it gets. */
static int job(void)
{
	char c;

	on_signal(SIGWINCH, size_changed, 0);
	NEED(write(STDOUT_FILENO, "r", 1) == 1);
	for (;;) {
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n == 1 && c == 'q')
			return 7;
		if (n == 1)
			NEED(write(STDOUT_FILENO, &c, 1) == 1);
		else if (n == 0 || errno != EINTR)
			return n == 0 ? 6 : 8;
	}
}

static pid_t start(void)
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		NEED(setpgid(0, 0) == 0);
		while (tcgetpgrp(STDIN_FILENO) != getpid())
			sleep_ms(5);
		_exit(job());
	}
	setpgid(pid, pid);
	return pid;
}

static void foreground(pid_t pid)
{
	NEED(tcsetpgrp(STDIN_FILENO, pid) == 0);
}

static void waits_for(const char *what, pid_t pid)
{
	int status = 0;

	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	printf("%s: ", what);
	show_status("job", status);
}

/* A shell with job control; told by the other side what to do. */
static int shell(void)
{
	pid_t pid, me = getpgrp();

	signal(SIGTTOU, SIG_IGN);
	stdout = fdopen(3, "w");
	setvbuf(stdout, NULL, _IOLBF, 4096);

	pid = start();
	foreground(pid);
	waits_for("Ctrl-C", pid);

	pid = start();
	foreground(pid);
	waits_for("Ctrl-Z", pid);
	foreground(me);
	NEED(kill(-pid, SIGCONT) == 0);
	waits_for("reads in the background", pid);
	foreground(pid);
	NEED(kill(-pid, SIGCONT) == 0);
	waits_for("quit", pid);

	pid = start();
	foreground(pid);
	waits_for("Ctrl-\\", pid);
	foreground(me);
	return 0;
}

/* What the job writes, one byte. */
static void expect(char c)
{
	char got = 0;

	do
		NEED(read(master, &got, 1) == 1);
	while (got == '^' || got == 'C' || got == 'Z' || got == '\\' || got == '\r' || got == '\n');
	if (got != c)
		printf("expected %c, got %c\n", c, got);
}

static void press(char c)
{
	NEED(write(master, &c, 1) == 1);
}

static char line[256];

/* A line of the shell's report. */
static void report(FILE *f)
{
	NEED(fgets(line, sizeof(line), f));
	fputs(line, stdout);
}

int main(void)
{
	struct winsize w = { .ws_row = 33, .ws_col = 99 };
	struct termios t;
	char name[64];
	int fds[2];
	FILE *f;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	NEED(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof(name)) == 0);
	NEED(tcgetattr(master, &t) == 0);
	/* The kernel sends a key's signal before it flushes both queues: what the next job has written by then would be lost. */
	t.c_lflag = (t.c_lflag & ~(tcflag_t)(ICANON | ECHO)) | NOFLSH;
	NEED(tcsetattr(master, TCSANOW, &t) == 0);
	NEED(pipe(fds) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		int tty;

		NEED(setsid() > 0);
		tty = open(name, O_RDWR);
		NEED(tty >= 0);
		SHOW(tcgetsid(tty) == getpid());
		for (int i = 0; i < 3; i++)
			dup2(tty, i);
		dup2(fds[1], 3);
		close(fds[0]);
		_exit(shell());
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	expect('r');
	press('a');
	expect('a');
	press(3);
	report(f);		/* Ctrl-C */
	expect('r');
	NEED(ioctl(master, TIOCSWINSZ, &w) == 0);
	expect('w');
	press(26);
	report(f);		/* Ctrl-Z */
	report(f);		/* reads in the background */
	press('q');
	report(f);		/* quit */
	expect('r');
	press(28);
	report(f);		/* Ctrl-\ */
	reap("shell", pid);
	SHOW(read(master, line, 1) <= 0);
	return 0;
}
