/*
 * test: timeout=60
 * A process group that is orphaned while a member is stopped gets SIGHUP and SIGCONT; in an orphaned group in the background nothing stops by
 * the terminal: reads and writes fail, SIGTSTP and the like are as if they were ignored.  A stopped group that is orphaned by its parent's
 * move to another group, and one that is not orphaned yet.
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include "check.h"

static volatile sig_atomic_t got[NSIG];
static int tty, told[2];

static void note(int sig)
{
	got[sig] = 1;
}

static void tell(const char *text)
{
	NEED(write(told[1], text, strlen(text)) == (ssize_t)strlen(text));
}

static void tell_outcome(const char *what, long r)
{
	char text[80];

	snprintf(text, sizeof(text), "%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
	tell(text);
}

/* Stops, and tells what got it going again; then what the terminal does to it. */
static int member(void)
{
	struct termios t;
	char c;

	NEED(setpgid(0, 0) == 0);
	on_signal(SIGHUP, note, 0);
	on_signal(SIGCONT, note, 0);
	raise(SIGSTOP);
	for (int i = 0; i < 1000 && !(got[SIGHUP] && got[SIGCONT]); i++)
		sleep_ms(10);
	tell(got[SIGHUP] ? "SIGHUP\n" : "no SIGHUP\n");
	tell(got[SIGCONT] ? "SIGCONT\n" : "no SIGCONT\n");
	raise(SIGTSTP);
	raise(SIGTTIN);
	raise(SIGTTOU);
	tell("not stopped\n");
	tell_outcome("read", read(tty, &c, 1));
	tell_outcome("write", write(tty, "w", 1));
	NEED(tcgetattr(tty, &t) == 0);
	t.c_lflag |= TOSTOP;
	tell_outcome("tcsetattr", tcsetattr(tty, TCSANOW, &t));
	signal(SIGTTOU, SIG_IGN);
	tell_outcome("tcsetattr, SIGTTOU ignored", tcsetattr(tty, TCSANOW, &t));
	signal(SIGTTOU, SIG_DFL);
	tell_outcome("write, tostop", write(tty, "w", 1));
	tell_outcome("tcsetpgrp", tcsetpgrp(tty, getpgrp()));
	return 4;
}

static void reap_stopped(pid_t pid)
{
	int status;

	NEED(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
}

/* Its end orphans its child's group. */
static int parent(void)
{
	NEED(setpgid(0, 0) == 0);
	reap_stopped(spawn(member));
	return 3;
}

static int stops(void)
{
	NEED(setpgid(0, 0) == 0);
	on_signal(SIGHUP, note, 0);
	raise(SIGTSTP);
	return got[SIGHUP] ? 1 : 2;
}

/* A parent in the same session and another group keeps a group from being orphaned: its members stop as they should. */
static int keeps(void)
{
	pid_t pid = spawn(stops);

	NEED(setpgid(0, 0) == 0);
	reap_stopped(pid);
	NEED(kill(pid, SIGCONT) == 0);
	reap("went on", pid);
	return 0;
}

static int session(void)
{
	char name[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY), status;
	pid_t pid;

	NEED(setsid() > 0);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	NEED(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof(name)) == 0);
	tty = open(name, O_RDWR);
	NEED(tty >= 0 && tcgetsid(tty) == getpid());
	reap("keeps", spawn(keeps));
	/* Away from this session's leader, which would be the parent of what is orphaned. */
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	reap("parent", spawn(parent));
	close(told[1]);
	for (char text[256]; (status = (int)read(told[0], text, sizeof(text))) > 0;)
		fwrite(text, 1, (size_t)status, stdout);
	while ((pid = wait(&status)) > 0)
		show_status("member", status);
	return 0;
}

int main(void)
{
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	NEED(pipe(told) == 0);
	pid_t pid = spawn(session);

	close(told[1]);
	reap("session", pid);
	NEED((pid = wait(&(int){ 0 })) > 0);	/* the member */
	OUTCOME(wait(NULL));
	return 0;
}
