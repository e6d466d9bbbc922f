/* Does any file of the process's in /proc tell where the monitor is, as a number in hexadecimal or decimal digits or as a word? */
#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include "monitor.h"

#define AROUND (1ul << 20)
#define AREA (2ul << 30)	/* more than a monitor takes with the arena as it is by default */

static uintptr_t gate;
static unsigned files, tells;

static bool inside(uintptr_t value)
{
	return value >= gate - AROUND && value < gate + AREA;
}

static bool told(const char *text, size_t n)
{
	uintptr_t word;

	for (size_t i = 0; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if (inside(word))
			return true;
	}
	for (const char *p = text; p < text + n; p++) {
		if (!isxdigit((unsigned char)*p) || (p > text && isalnum((unsigned char)p[-1]) && p[-1] != 'x'))
			continue;
		if (inside(strtoul(p, NULL, 16)) || inside(strtoul(p, NULL, 10)))
			return true;
	}
	return false;
}

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
	static char text[1 << 20];
	size_t n = 0;
	ssize_t r;
	int fd;

	(void)st;
	(void)at;
	if (type != FTW_F || strstr(path, "kmsg"))
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (n < sizeof(text) - 1 && (r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	text[n] = 0;
	files++;
	if (!told(text, n))
		return 0;
	tells++;
	printf("%s tells\n", path);
	return 0;
}

int main(void)
{
	char own[32];

	monitor_block();
	gate = (uintptr_t)gate_call() & ~(PAGE - 1);
	snprintf(own, sizeof(own), "/proc/%d", getpid());
	if (!told((const char *)&gate, sizeof(gate)) || nftw(own, look, 16, FTW_PHYS))
		return 99;
	printf("looked: %d, told: %u\n", files > 30, tells);
	return 0;
}
