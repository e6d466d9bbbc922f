/* Descriptors that tell of events, used by a process and its children: eventfd, timerfd, inotify, epoll over all of them. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include "check.h"

static int event, semaphore, timer, watch, ep;

static void show_events(const char *who)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(watch, buf, sizeof(buf));

	NEED(n > 0);
	for (char *p = buf; p < buf + n;) {
		struct inotify_event *e = (struct inotify_event *)p;

		printf("%s: watch %d, mask %x, %s\n", who, e->wd, e->mask, e->len ? e->name : "-");
		p += sizeof(*e) + e->len;
	}
}

static int counts(void)
{
	eventfd_t v;

	SHOW(eventfd_read(event, &v));
	SHOW(v);
	for (int i = 0; i < 3; i++)
		NEED(eventfd_write(semaphore, 1) == 0);
	return 0;
}

static void events(void)
{
	struct pollfd p = { .fd = semaphore, .events = POLLIN | POLLOUT };
	pid_t pid = spawn(counts);
	eventfd_t v;

	NEED(eventfd_write(event, 42) == 0);
	for (int i = 0; i < 3; i++) {
		NEED(eventfd_read(semaphore, &v) == 0);
		SHOW(v);
	}
	reap("counts", pid);
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents);
	NEED(fcntl(event, F_SETFL, O_NONBLOCK) == 0);
	OUTCOME(eventfd_read(event, &v));
	SHOW(eventfd_write(event, UINT64_MAX - 1));
	OUTCOME(eventfd_write(event, 1));
	OUTCOME(eventfd_write(event, UINT64_MAX));
	SHOW(eventfd_read(event, &v));
	SHOW(v == UINT64_MAX - 1);
}

/* The parent's timer: what one has read the other has not. */
static int expires(void)
{
	struct itimerspec its;
	uint64_t n = 0;

	SHOW(read(timer, &n, sizeof(n)));
	SHOW(n >= 1);
	its.it_value = (struct timespec){ 0, 0 };
	its.it_interval = its.it_value;
	SHOW(timerfd_settime(timer, 0, &its, NULL));
	return 0;
}

static void timers(void)
{
	struct itimerspec its = { .it_value = { 0, 20000000 }, .it_interval = { 3600, 0 } }, now;
	uint64_t n;
	pid_t pid;

	NEED(timerfd_settime(timer, 0, &its, NULL) == 0);
	pid = spawn(expires);
	reap("expires", pid);
	SHOW(timerfd_gettime(timer, &now));
	SHOW(now.it_value.tv_sec);
	NEED(fcntl(timer, F_SETFL, O_NONBLOCK) == 0);
	OUTCOME(read(timer, &n, sizeof(n)));
}

static int touches(void)
{
	int fd = open("dir/new", O_CREAT | O_WRONLY, 0600);

	NEED(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
	NEED(rename("dir/new", "dir/moved") == 0 && unlink("dir/moved") == 0);
	return 0;
}

/* A child adds to the watches and reads what its parent does. */
static int reads(void)
{
	int wd = inotify_add_watch(watch, "file", IN_MODIFY | IN_CLOSE_WRITE);

	SHOW(wd);
	send_byte(ep);
	show_events("child");
	SHOW(inotify_rm_watch(watch, wd));
	show_events("child");
	return 0;
}

static void files(void)
{
	int fd = open("file", O_CREAT | O_WRONLY, 0600), fds[2];
	pid_t pid;

	NEED(fd >= 0 && mkdir("dir", 0700) == 0 && pipe(fds) == 0);
	SHOW(inotify_add_watch(watch, "dir", IN_CREATE | IN_MODIFY | IN_MOVE | IN_DELETE | IN_CLOSE_WRITE));
	reap("touches", spawn(touches));
	show_events("parent");
	ep = fds[1];
	pid = spawn(reads);
	wait_byte(fds[0]);
	NEED(write(fd, "y", 1) == 1);
	reap("reads", pid);
	NEED(rmdir("dir") == 0);
	show_events("parent");
}

static int raises(void)
{
	struct itimerspec its = { .it_value = { 0, 1 } };

	sleep_ms(20);
	NEED(eventfd_write(event, 5) == 0);
	NEED(timerfd_settime(timer, 0, &its, NULL) == 0);
	NEED(close(open("file", O_WRONLY)) == 0);
	return 0;
}

static void together(void)
{
	int fds[] = { event, timer, watch };
	unsigned seen = 0;
	pid_t pid;

	ep = epoll_create1(0);
	NEED(inotify_add_watch(watch, "file", IN_CLOSE_WRITE) > 0);
	for (unsigned i = 0; i < 3; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = i };

		NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == 0);
	}
	pid = spawn(raises);
	while (seen != 7) {
		struct epoll_event ev[4];
		int n = epoll_wait(ep, ev, 4, 10000);

		NEED(n > 0);
		for (int i = 0; i < n; i++)
			seen |= 1u << ev[i].data.u32;
	}
	SHOW(seen);
	reap("raises", pid);
}

int main(void)
{
	event = eventfd(0, 0);
	semaphore = eventfd(0, EFD_SEMAPHORE);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	watch = inotify_init1(0);
	NEED(event >= 0 && semaphore >= 0 && timer >= 0 && watch >= 0);
	events();
	timers();
	files();
	together();
	return 0;
}
