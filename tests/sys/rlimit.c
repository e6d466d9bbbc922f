/* Limits: set, read back, inherited, enforced. */
#include <sys/resource.h>
#include "check.h"

static int child(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	SHOW(r.rlim_cur);
	r.rlim_cur = 1000;
	r.rlim_max = 1000;
	NEED(setrlimit(RLIMIT_FSIZE, &r) == 0);
	signal(SIGXFSZ, SIG_IGN);
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char buf[2000] = "";
	SHOW(write(fd, buf, sizeof(buf)));
	OUTCOME(write(fd, buf, 1));
	signal(SIGXFSZ, SIG_DFL);
	OUTCOME(write(fd, buf, 1));
	return 0;
}

int main(void)
{
	struct rlimit r = { 100, 200 }, old;
	struct rusage usage;

	NEED(setrlimit(RLIMIT_NOFILE, &r) == 0);
	NEED(prlimit(0, RLIMIT_NOFILE, NULL, &old) == 0);
	SHOW(old.rlim_cur);
	SHOW(old.rlim_max);
	reap("child", spawn(child));
	r.rlim_cur = 300;
	OUTCOME(setrlimit(RLIMIT_NOFILE, &r));
	OUTCOME(getrlimit((__rlimit_resource_t)99, &r));
	SHOW(getrusage(RUSAGE_SELF, &usage));
	SHOW(usage.ru_maxrss > 0);
	SHOW(getpriority(PRIO_PROCESS, 0));
	return 0;
}
