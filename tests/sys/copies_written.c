/*
 * test: turns=variant
 *
 * Files that each variant has for itself, a memfd and a file that is mapped shared, written to by calls that take the bytes from another
 * descriptor, and those that go by the file's offset.
 */
#include <sys/sendfile.h>
#include "check.h"

static int in, p[2];

static char *map(int fd)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	NEED(m != MAP_FAILED);
	return m;
}

static void show(const char *what, const char *bytes)
{
	printf("%s: ", what);
	for (unsigned i = 0; i < 48; i++)
		putchar(bytes[i] ? bytes[i] : '.');
	putchar('\n');
}

static void from_others(int fd, char *m)
{
	off_t from = 2;
	loff_t at = 12, begin = 0;

	SHOW(lseek(fd, 1, SEEK_SET));
	SHOW(sendfile(fd, in, &from, 5));
	show("sendfile", m);
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(sendfile(fd, in, NULL, 3));
	show("sendfile", m);
	NEED(write(p[1], "from a pipe", 11) == 11);
	SHOW(splice(p[0], NULL, fd, &at, 6, 0));
	SHOW(at);
	show("splice", m);
	SHOW(splice(p[0], NULL, fd, NULL, 5, 0));
	show("splice", m);
	at = 30;
	SHOW(copy_file_range(fd, &begin, fd, &at, 6, 0));
	show("copy", m);
	m[0] = 'm';
	SHOW(write(fd, "written", 7));
	SHOW(lseek(fd, 0, SEEK_CUR));
	show("write", m);
}

static int child(void)
{
	return write(STDOUT_FILENO, "child\n", 6) != 6;
}

static void by_offset(int fd, char *m)
{
	struct iovec v[2] = { { "vec", 3 }, { "tor", 3 } };
	char big[5000];

	SHOW(lseek(fd, 40, SEEK_SET));
	SHOW(writev(fd, v, 2));
	show("writev", m);
	memset(big, 'b', sizeof(big));
	SHOW(lseek(fd, 100, SEEK_SET));
	SHOW(write(fd, big, sizeof(big)));
	SHOW(m[5099]);
	SHOW(m[5100]);
	reap("child", spawn(child));
	SHOW(lseek(fd, 3, SEEK_SET));
	for (int i = 0; i < 10; i++)
		NEED(write(fd, &"0123456789"[i], 1) == 1 && m[3 + i] == '0' + i);
	show("one by one", m);
	SHOW(fcntl(fd, F_SETFL, O_APPEND));
	SHOW(lseek(fd, 0, SEEK_END));
	SHOW(write(fd, "appended", 8));
	SHOW(memcmp(m + 8100, "appended", 8));
}

int main(void)
{
	int fd = memfd_create("copies", 0), file = open("file", O_RDWR | O_CREAT, 0600);
	char *m;

	in = open("in", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && file >= 0 && in >= 0 && pipe(p) == 0);
	NEED(write(in, "0123456789", 10) == 10 && lseek(in, 0, SEEK_SET) == 0);
	NEED(ftruncate(fd, 8100) == 0 && ftruncate(file, 8100) == 0);
	m = map(fd);
	from_others(fd, m);
	by_offset(fd, m);
	NEED(munmap(m, 8192) == 0);
	NEED(lseek(in, 0, SEEK_SET) == 0);
	m = map(file);
	from_others(file, m);
	by_offset(file, m);
	return 0;
}
