/* Code that the program generates: calls from memory that is written again and again, by the three ways there are. */
#include "check.h"

#define TIMES 200	/* for each way more calls than it takes until a process is rewritten */

static const long numbers[] = { SYS_getpid, SYS_getppid, SYS_getpgrp, SYS_gettid };

/* mov $nr, %eax; syscall; ret */
static void generate(unsigned char *to, long nr)
{
	unsigned char code[] = { 0xb8, (unsigned char)nr, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(to, code, sizeof(code));
}

static long call(const void *code)
{
	return ((long (*)(void))(uintptr_t)code)();
}

/* writable and executable: where the same code is written and run; change() is told before and after a write. */
static long wrong(unsigned char *writable, const unsigned char *executable, void (*change)(void *page, bool writing))
{
	long n = 0;

	for (int i = 0; i < TIMES; i++) {
		long nr = numbers[i % 4];
		size_t at = (size_t)(i % 7) * 16;

		if (change)
			change(writable, true);
		generate(writable + at, nr);
		if (change)
			change(writable, false);
		n += call(executable + at) != syscall(nr);
	}
	for (int i = 0; i < 10 * TIMES; i++)	/* hot, and no longer changed */
		n += call(executable) != syscall(numbers[196 % 4]);
	return n;
}

static void change_protection(void *page, bool writing)
{
	NEED(mprotect(page, 4096, writing ? PROT_READ | PROT_WRITE : PROT_READ | PROT_EXEC) == 0);
}

int main(void)
{
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *view;
	int fd = memfd_create("code", MFD_CLOEXEC);

	NEED(page != MAP_FAILED && fd >= 0 && ftruncate(fd, 4096) == 0);
	SHOW(wrong(page, page, NULL));
	SHOW(wrong(page, page, change_protection));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	view = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	NEED(page != MAP_FAILED && view != MAP_FAILED);
	SHOW(wrong(page, view, NULL));
	return 0;
}
