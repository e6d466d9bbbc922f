/*
 * odd_clients PORT [HELD]: a server whose clients stay.  A request is a line; each has a line for an answer, which tells what the server
 * has in the kernel besides its sockets.  "odd HOW SLICE" makes the variant in that slice differ from the others, once.  HELD:
 * something that no other process can take over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include "slice.h"

/* What is registered with the epoll set is a pointer, which differs in each variant. */
struct watched {
	int fd;
	void (*ready)(struct watched *w);
	unsigned requests;
};

static int set, file, in, out, event, timer;
static volatile sig_atomic_t alarms;
static unsigned usr1, expired;

static struct watched *watch(int fd, void (*ready)(struct watched *w))
{
	struct watched *w = calloc(1, sizeof(*w));
	struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = w } };

	w->fd = fd;
	w->ready = ready;
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &e))
		_exit(3);
	return w;
}

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void on_signal(struct watched *w)
{
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1)
		usr1++;
}

static void on_timer(struct watched *w)
{
	uint64_t n;

	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		expired += (unsigned)n;
}

static void differ(const char *how)
{
	volatile int *volatile null = NULL;

	if (!strcmp(how, "call"))
		syscall(SYS_getuid);
	else if (!strcmp(how, "crash"))
		*null = 1;
	else if (!strcmp(how, "kill"))
		syscall(SYS_kill, 1 << 30, 0);
	else
		_exit(3);
}

/* Children are made, killed and waited for by whoever leads. */
static int child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	if (waitpid(pid, &status, 0) != pid || status != 7 << 8)
		return -1;
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGTERM);
	return waitpid(pid, &status, 0) == pid && status == SIGTERM ? 0 : -1;
}

static int answer(struct watched *w, char *line, char *text, size_t size)
{
	char how[16], bytes[64];
	uint64_t value = 0;
	unsigned odd;

	w->requests++;
	if (sscanf(line, "odd %15s %u", how, &odd) == 2) {
		if (slice() == odd)
			differ(how);
		return snprintf(text, size, "odd\n");
	}
	if (!strncmp(line, "file ", 5)) {
		if (write(file, line + 5, strlen(line + 5)) < 0)
			return snprintf(text, size, "errno %d\n", errno);
		return snprintf(text, size, "%ld\n", (long)lseek(file, 0, SEEK_CUR));
	}
	if (!strncmp(line, "pipe ", 5) && write(out, line + 5, strlen(line + 5)) > 0)
		return snprintf(text, size, "written\n");
	if (!strcmp(line, "pipe")) {
		ssize_t n = read(in, bytes, sizeof(bytes));

		return snprintf(text, size, "%.*s\n", (int)(n < 0 ? 0 : n), bytes);
	}
	if (!strcmp(line, "event") && read(event, &value, sizeof(value)) == sizeof(value)) {
		uint64_t next = value + 1;

		if (write(event, &next, sizeof(next)) == sizeof(next))
			return snprintf(text, size, "%lu\n", (unsigned long)next);
	}
	if (!strcmp(line, "child"))
		return snprintf(text, size, "%d\n", child());
	if (!strcmp(line, "state"))
		return snprintf(text, size, "%d alarms, %d expirations, %u signals, pid %d, request %u\n", alarms > 2, expired > 2,
				usr1, getpid(), w->requests);
	return snprintf(text, size, "%s %u\n", line, w->requests);
}

static void on_request(struct watched *w)
{
	char line[256], text[256];
	ssize_t n = read(w->fd, line, sizeof(line) - 1);

	if (n <= 0) {
		close(w->fd);
		free(w);
		return;
	}
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	n = answer(w, line, text, sizeof(text));
	if (!strcmp(line, "quit"))
		exit(9);
	if (send(w->fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void on_connection(struct watched *w)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		watch(fd, on_request);
}

static bool hold(const char *what)
{
	struct flock lock = { .l_type = F_WRLCK };
	timer_t id;

	if (!strcmp(what, "lock"))
		return !fcntl(file, F_SETLK, &lock);
	if (!strcmp(what, "flock"))
		return !flock(file, LOCK_EX);
	if (!strcmp(what, "timer"))
		return !timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_notify = SIGEV_NONE }, &id);
	if (!strcmp(what, "map"))
		return !ftruncate(file, 4096) && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) != MAP_FAILED;
	if (!strcmp(what, "memfd"))
		return memfd_create("memory", 0) >= 0;
	if (!strcmp(what, "path"))
		return open("/", O_PATH) >= 0;
	if (!strcmp(what, "owner"))
		return !fcntl(out, F_SETOWN, getpid());
	if (!strcmp(what, "semaphore"))
		return semget(IPC_PRIVATE, 1, 0600) >= 0;
	if (!strcmp(what, "session"))
		return setsid() > 0;
	return false;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct itimerval tick = { { 0, 50000 }, { 0, 50000 } };
	struct itimerspec expiry = { { 0, 50000000 }, { 0, 50000000 } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, p[2];
	struct sigaction on = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	sigset_t usr;

	if (argc < 2 || pipe(p))
		return 2;
	in = p[0];
	out = p[1];
	set = epoll_create1(EPOLL_CLOEXEC);
	file = open("written", O_RDWR | O_CREAT | O_TRUNC, 0600);
	event = eventfd(40, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(timer, 0, &expiry, NULL);
	watch(timer, on_timer);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	watch(signalfd(-1, &usr, SFD_NONBLOCK), on_signal);
	sigaction(SIGALRM, &on, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 100))
		return 1;
	watch(fd, on_connection);
	if (argc > 2 && !hold(argv[2]))
		return 4;
	for (;;) {
		struct epoll_event e[8];
		int n = epoll_wait(set, e, 8, -1);

		for (int i = 0; i < n; i++) {
			struct watched *w = e[i].data.ptr;

			w->ready(w);
		}
	}
}
