/* All clocks advance and agree with each other, through the vDSO and through the kernel. */
#include "check.h"

static int64_t ns(clockid_t id)
{
	struct timespec ts;

	NEED(clock_gettime(id, &ts) == 0);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int main(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE };
	struct timeval tv;
	struct timespec raw, res;
	int back = 0;

	for (unsigned c = 0; c < sizeof(clocks) / sizeof(*clocks); c++) {
		int64_t last = ns(clocks[c]);

		for (int i = 0; i < 100; i++) {
			int64_t now = ns(clocks[c]);

			back += now < last;
			last = now;
		}
	}
	SHOW(back);
	int64_t before = ns(CLOCK_REALTIME);
	NEED(gettimeofday(&tv, NULL) == 0);
	int64_t middle = tv.tv_sec * INT64_C(1000000000) + tv.tv_usec * 1000 + 999;
	NEED(syscall(SYS_clock_gettime, CLOCK_REALTIME, &raw) == 0);
	int64_t after = raw.tv_sec * INT64_C(1000000000) + raw.tv_nsec;
	SHOW(before <= middle && middle <= after + 1000);
	time_t t = time(NULL);
	SHOW(t - raw.tv_sec <= 1 && t >= raw.tv_sec - 1);
	int64_t start = ns(CLOCK_MONOTONIC);
	sleep_ms(30);
	int64_t took = ns(CLOCK_MONOTONIC) - start;
	SHOW(took >= 30000000);
	NEED(clock_getres(CLOCK_MONOTONIC, &res) == 0);
	SHOW(res.tv_nsec);
	SHOW(clock() >= 0);
	OUTCOME(clock_gettime(1000, &res));
	struct timespec until = { 0, 0 };
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	return 0;
}
