/*
 * test: turns=variant
 *
 * Files mapped shared and writable: processes that have opened them apart see each other's stores, and so do other mappings,
 * whenever and however they were made.
 */
#include "check.h"

#define PAGE 4096

static int go[2], back[2];

static char *map(const char *name, int how, int prot, int flags, size_t pages, off_t page)
{
	int fd = open(name, how, 0600);
	char *p = fd < 0 ? MAP_FAILED : mmap(NULL, pages * PAGE, prot, flags, fd, page * PAGE);

	NEED(p != MAP_FAILED);
	close(fd);
	return p;
}

static int child(void)
{
	char *p = map("file", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);

	puts(p);
	strcpy(p + 100, "child's first");
	strcpy(p + 2 * PAGE, "child's third page");
	send_byte(back[1]);
	wait_byte(go[0]);
	puts(p + 200);
	strcpy(p + PAGE, "child's second page");
	return 0;
}

static void apart(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	char *p, *middle, *look, *own, buf[32] = "";
	pid_t pid;

	NEED(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0 && pwrite(fd, "written before", 15, 0) == 15);
	NEED(pipe(go) == 0 && pipe(back) == 0);
	pid = spawn(child);
	wait_byte(back[0]);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED);
	puts(p + 100);
	strcpy(p + 200, "parent's");
	send_byte(go[1]);
	reap("child", pid);
	middle = map("file", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, 2, 1);
	puts(middle);
	puts(middle + PAGE);
	look = map("file", O_RDONLY, PROT_READ, MAP_SHARED, 3, 0);
	own = map("file", O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE, 3, 0);
	puts(look + 200);
	puts(own + PAGE);
	strcpy(own + PAGE, "nobody's");
	strcpy(middle + PAGE, "later");
	puts(look + PAGE);
	puts(look + 2 * PAGE);
	SHOW(pread(fd, buf, 20, PAGE));
	puts(buf);
	SHOW(pwrite(fd, "written at a place", 19, 300));
	puts(p + 300);
	NEED(munmap(p, PAGE) == 0 && munmap(middle, 2 * PAGE) == 0 && munmap(look, 3 * PAGE) == 0);
	close(fd);
	p = map("file", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
	puts(p + 100);
	puts(p + 300);
	puts(p + 2 * PAGE);
}

/* Mapped before it is there, and made longer and shorter since. */
static void sizes(void)
{
	int fd = open("grows", O_RDWR | O_CREAT, 0600);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	NEED(fd >= 0 && p != MAP_FAILED);
	SHOW(ftruncate(fd, PAGE));
	strcpy(p, "one page");
	SHOW(posix_fallocate(fd, 0, 3 * PAGE));
	strcpy(p + 2 * PAGE, "three");
	SHOW(ftruncate(fd, PAGE));
	SHOW(ftruncate(fd, 3 * PAGE));
	SHOW(p[2 * PAGE]);
	puts(p);
	close(fd);
}

/* A file of the same name, and perhaps number, has nothing of the former one's. */
static void again(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = open("again", O_RDWR | O_CREAT | O_EXCL, 0600);
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		NEED(fd >= 0 && p != MAP_FAILED && ftruncate(fd, PAGE) == 0);
		SHOW(p[i]);
		p[i + 1] = 1;
		NEED(munmap(p, PAGE) == 0 && close(fd) == 0 && unlink("again") == 0);
	}
}

/* The device that is memory. */
static void zero(void)
{
	char *p = map("/dev/zero", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 0);
	pid_t pid = fork();

	NEED(pid >= 0);
	if (!pid) {
		strcpy(p, "in /dev/zero");
		_exit(0);
	}
	reap("child", pid);
	puts(p);
}

/* What an exec closes is closed in all variants, and what it leaves is there. */
static void kept(char *self)
{
	int fd = open("file", O_RDWR), closed = open("grows", O_RDWR | O_CLOEXEC);
	char number[16], other[16];

	NEED(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	NEED(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, closed, 0) != MAP_FAILED);
	snprintf(number, sizeof(number), "%d", fd);
	snprintf(other, sizeof(other), "%d", closed);
	execl(self, self, number, other, NULL);
}

static int after_exec(int fd, int closed)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	NEED(p != MAP_FAILED);
	puts(p + 300);
	SHOW(ftruncate(fd, 2 * PAGE));
	OUTCOME(close(fd));
	OUTCOME(close(closed));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return after_exec(atoi(argv[1]), atoi(argv[2]));
	apart();
	sizes();
	again();
	zero();
	kept(argv[0]);
	return 99;
}
