/*
 * odd_clients PORT [HELD]: a server whose clients stay.  A request is a line; each has a line for an answer, which tells what the server
 * has in the kernel besides its sockets.  "odd HOW SLICE" makes the variant in that slice differ from the others, once.  HELD:
 * something that is hard to take over, or who serves: a worker whose parent makes another when it dies ("worker", "workers": two, in
 * turn), a thread among others ("threads"), or one for each client, beside some that are always busy ("pool").
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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
static unsigned room;			/* for so many connections, of one of two workers */
static unsigned *common;		/* memory that all processes share */
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

/* ---- threads, which have something to do when they are asked ---- */

#define THREADS 3
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, done;
static int tokens[2];

static void *worker(void *arg)
{
	char c;

	/* Some wait for a condition, one for a pipe. */
	for (unsigned next = 1;; next++) {
		if (arg && read(tokens[0], &c, 1) != 1)
			_exit(5);
		pthread_mutex_lock(&lock);
		while (asked < next)
			pthread_cond_wait(&changed, &lock);
		done++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static bool make_threads(void)
{
	pthread_t t;

	if (pipe(tokens))
		return false;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, worker, i ? NULL : tokens))
			return false;
	return true;
}

static unsigned work(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	asked++;
	pthread_cond_broadcast(&changed);
	if (write(tokens[1], "x", 1) != 1)
		_exit(5);
	while (done < asked * THREADS)
		pthread_cond_wait(&changed, &lock);
	n = done;
	pthread_mutex_unlock(&lock);
	return n;
}

/* ---- a thread for each client, and some that have always something to do ---- */

static bool pool;
static unsigned tickets, ticks;

/* Each number is given once; who is given it has waited for others meanwhile. */
static unsigned ticket(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = ++tickets;
	pthread_cond_broadcast(&changed);
	sched_yield();
	pthread_mutex_unlock(&lock);
	return n;
}

static void *tick(void *arg)
{
	struct timespec ms = { 0, 1000000 }, until;

	for (;;) {
		pthread_mutex_lock(&lock);
		ticks++;
		pthread_cond_broadcast(&changed);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec = until.tv_nsec < 990000000 ? until.tv_nsec + 5000000 : 999999999;
		if (arg)
			pthread_cond_timedwait(&changed, &lock, &until);
		pthread_mutex_unlock(&lock);
		if (!arg)
			nanosleep(&ms, NULL);
	}
	return NULL;
}

static bool make_busy(void)
{
	pthread_t t;

	pool = true;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, tick, i ? NULL : tokens))
			return false;
	return true;
}

/* ---- requests ---- */

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
	if (!strcmp(line, "work"))
		return snprintf(text, size, "%u\n", work());
	if (!strcmp(line, "ticket"))
		return snprintf(text, size, "%u\n", ticket());
	if (!strcmp(line, "common"))
		return snprintf(text, size, "%u\n", __atomic_add_fetch(common, 1, __ATOMIC_SEQ_CST));
	if (!strcmp(line, "who"))
		return snprintf(text, size, "%d of %d\n", getpid(), getppid());
	if (!strcmp(line, "die"))
		_exit(6);
	if (!strcmp(line, "state"))
		return snprintf(text, size, "%d alarms, %d expirations, %u signals, pid %d, request %u\n", alarms > 2, expired > 2,
				usr1, getpid(), w->requests);
	return snprintf(text, size, "%s %u\n", line, w->requests);
}

/* False: that was the last one. */
static bool serve(struct watched *w)
{
	char line[256], text[256];
	ssize_t n = read(w->fd, line, sizeof(line) - 1);

	if (n <= 0) {
		close(w->fd);
		free(w);
		return false;
	}
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	n = answer(w, line, text, sizeof(text));
	if (!strcmp(line, "quit"))
		exit(9);
	if (send(w->fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
		_exit(1);
	return true;
}

static void on_request(struct watched *w)
{
	serve(w);
}

static void *serve_all(void *arg)
{
	while (serve(arg))
		;
	return NULL;
}

static void make_server(int fd)
{
	struct watched *w = calloc(1, sizeof(*w));
	pthread_t t;

	w->fd = fd;
	if (pthread_create(&t, NULL, serve_all, w) || pthread_detach(t))
		_exit(5);
}

static void on_connection(struct watched *w)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && pool)
		make_server(fd);
	else if (fd >= 0)
		watch(fd, on_request);
	if (fd >= 0 && !--room)
		epoll_ctl(set, EPOLL_CTL_DEL, w->fd, NULL);
}

static bool hold(const char *what)
{
	struct flock record = { .l_type = F_WRLCK };
	timer_t id;

	if (!strcmp(what, "lock"))
		return !fcntl(file, F_SETLK, &record);
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
	if (!strcmp(what, "namespace"))
		return !unshare(CLONE_NEWUTS);
	if (!strcmp(what, "session"))
		return setsid() > 0;
	if (!strncmp(what, "worker", 6))
		return true;
	if (!strcmp(what, "threads"))
		return make_threads();
	if (!strcmp(what, "pool"))
		return make_busy();
	return false;
}

/* Returns in workers: each time one is dead there is another. */
static int make_workers(int n)
{
	pid_t pids[2] = { 0 }, pid;
	int status, i;

	for (i = 0; i < n; i++)
		if (!(pids[i] = fork()))
			return 0;
	for (;;) {
		pid = wait(&status);
		if (pid < 0)
			return 1;
		i = pid == pids[1];
		if (WIFEXITED(status) && WEXITSTATUS(status) != 6) {
			if (n > 1)
				kill(pids[!i], SIGTERM);
			exit(WEXITSTATUS(status));
		}
		if (!(pids[i] = fork()))
			return 0;
	}
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 100) ? -1 : fd;
}

int main(int argc, char **argv)
{
	struct itimerval tick = { { 0, 50000 }, { 0, 50000 } };
	struct itimerspec expiry = { { 0, 50000000 }, { 0, 50000000 } };
	int fd, p[2];
	struct sigaction on = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	sigset_t usr;

	if (argc < 2 || pipe(p))
		return 2;
	common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = listen_at((uint16_t)strtoul(argv[1], NULL, 10));
	if (fd < 0 || common == MAP_FAILED)
		return 1;
	if (argc > 2 && !strcmp(argv[2], "workers"))
		room = 8;
	if (argc > 2 && !strncmp(argv[2], "worker", 6) && make_workers(argv[2][6] ? 2 : 1))
		return 1;
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
