/* inotify: events of one's own file operations, in order. */
#include <sys/inotify.h>
#include "check.h"

int main(void)
{
	char buf[4096] __attribute__((aligned(8)));
	int fd = inotify_init1(IN_NONBLOCK), wd;
	ssize_t n;

	NEED(fd >= 0 && mkdir("d", 0700) == 0);
	SHOW(wd = inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE));
	OUTCOME(read(fd, buf, sizeof(buf)));
	NEED(close(creat("d/one", 0600)) == 0);
	NEED(rename("d/one", "d/two") == 0);
	NEED(unlink("d/two") == 0);
	SHOW(inotify_rm_watch(fd, wd));
	n = read(fd, buf, sizeof(buf));
	for (char *p = buf; p < buf + n;) {
		struct inotify_event *e = (struct inotify_event *)(void *)p;

		printf("%#x %s\n", e->mask, e->len ? e->name : "");
		p += sizeof(*e) + e->len;
	}
	OUTCOME(inotify_rm_watch(fd, wd));
	OUTCOME(inotify_add_watch(fd, "missing", IN_CREATE));
	return 0;
}
