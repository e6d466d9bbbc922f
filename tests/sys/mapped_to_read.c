/*
 * test: turns=variant
 *
 * A file that is mapped to be read only, and written by calls: through the descriptor that is mapped, another one, and another process's, as LMDB
 * does.  Each look shows what was written by then, and not what the leader has written since.
 */
#include "check.h"

static int ask[2], answer[2];

static const char *map(int fd)
{
	const char *m = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

	NEED(m != MAP_FAILED);
	return m;
}

static int other(void)
{
	int fd = open("file", O_RDWR);
	const char *m = map(fd);

	for (int i = 0; i < 20; i++) {
		char text[16];

		wait_byte(ask[0]);
		printf("other sees %.8s\n", m + 100);
		snprintf(text, sizeof(text), "other%03d", i);
		NEED(pwrite(fd, text, 8, 200) == 8);
		send_byte(answer[1]);
	}
	return 0;
}

int main(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), second = open("file", O_WRONLY);
	const char *m;
	pid_t child;
	char text[16];

	NEED(fd >= 0 && second >= 0 && ftruncate(fd, 8192) == 0 && pipe(ask) == 0 && pipe(answer) == 0);
	m = map(fd);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "first%03d", i);
		NEED(pwrite(fd, text, 8, 0) == 8);
		text[4] = 'T';
		NEED(pwrite(second, text, 8, 50) == 8);
		printf("%.8s %.8s\n", m, m + 50);
	}
	SHOW(lseek(second, 4090, SEEK_SET));
	for (int i = 0; i < 100; i++)
		NEED(write(second, &"abcdefghij"[i % 10], 1) == 1 && m[4090 + i] == 'a' + i % 10);
	SHOW(ftruncate(second, 4096));
	SHOW(ftruncate(fd, 8192));
	SHOW(m[4095]);
	SHOW(m[4100]);
	child = spawn(other);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "mine%04d", i);
		NEED(pwrite(second, text, 8, 100) == 8);
		send_byte(ask[1]);
		wait_byte(answer[0]);
		printf("told %.8s\n", m + 200);
	}
	reap("other", child);
	return 0;
}
