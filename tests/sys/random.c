/* Random bytes are random, and the same for all variants: they name a file, and a child sees what its parent saw. */
#include <sys/random.h>
#include "check.h"

int main(void)
{
	unsigned char bytes[64], again[64], device[64];
	char name[64];
	int fds[2], fd;
	uint32_t sum;
	pid_t pid;

	SHOW(getrandom(bytes, sizeof(bytes), 0));
	SHOW(getrandom(again, sizeof(again), GRND_NONBLOCK));
	SHOW(memcmp(bytes, again, sizeof(bytes)) != 0);
	NEED(pipe(fds) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		sum = checksum(bytes, sizeof(bytes));
		_exit(write(fds[1], &sum, sizeof(sum)) != sizeof(sum));
	}
	NEED(read(fds[0], &sum, sizeof(sum)) == sizeof(sum));
	reap("child", pid);
	SHOW(sum == checksum(bytes, sizeof(bytes)));
	fd = open("/dev/urandom", O_RDONLY);
	NEED(read(fd, device, sizeof(device)) == sizeof(device));
	snprintf(name, sizeof(name), "file.%08x.%08x", sum, checksum(device, sizeof(device)));
	OUTCOME(open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	OUTCOME(unlink(name));
	OUTCOME(mkstemp(strcpy(name, "temp.XXXXXX")));
	OUTCOME(unlink(name));
	OUTCOME(getrandom(bytes, 8, 0x8000));
	OUTCOME(getrandom(NULL, 8, 0));
	return 0;
}
