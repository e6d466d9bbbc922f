/* Nanoseconds per look at the clock, as libc makes it: through the vDSO.  The number of looks is the argument. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	long looks = argc > 1 ? atol(argv[1]) : 100000;
	struct timespec first, last;

	if (looks <= 0 || clock_gettime(CLOCK_MONOTONIC, &first))
		return 1;
	for (long i = 0; i < looks; i++)
		clock_gettime(CLOCK_MONOTONIC, &last);
	printf("%.1f\n", ((double)(last.tv_sec - first.tv_sec) * 1e9 + (double)(last.tv_nsec - first.tv_nsec)) / (double)looks);
	return 0;
}
