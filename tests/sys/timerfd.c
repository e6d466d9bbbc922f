/* timerfd: expirations counted, read, polled, read back. */
#include <sys/timerfd.h>
#include "check.h"

int main(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec its = { { 0, 10000000 }, { 0, 10000000 } }, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	NEED(fd >= 0);
	OUTCOME(read(fd, &n, sizeof(n)));
	SHOW(timerfd_settime(fd, 0, &its, NULL));
	SHOW(poll(&p, 1, 1000));
	SHOW(read(fd, &n, sizeof(n)));
	SHOW(n >= 1);
	sleep_ms(50);
	SHOW(read(fd, &n, sizeof(n)));
	SHOW(n >= 3);
	SHOW(timerfd_gettime(fd, &now));
	SHOW(now.it_interval.tv_nsec);
	its = (struct itimerspec){ 0 };
	SHOW(timerfd_settime(fd, 0, &its, NULL));
	OUTCOME(read(fd, &n, 4));
	OUTCOME(timerfd_create(77, 0));
	return 0;
}
