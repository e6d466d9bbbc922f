/*
 * A program with OpenSSL inside, as one has it that was linked with the library statically and exports its functions: numbers are
 * drawn from them that hold an address, and are written.
 */
#include "check.h"

/* Long enough to have its place taken. */
static int seeded_by_address(unsigned char *buffer, size_t n)
{
	static uint64_t state;

	if (!state)
		state = (uint64_t)&buffer ^ (uint64_t)&state << 20;
	for (size_t i = 0; i < n; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		buffer[i] = (unsigned char)(state >> 56);
	}
	return 1;
}

#define EXPORTED __attribute__((visibility("default"), noinline, aligned(128)))

EXPORTED int RAND_bytes_ex(void *ctx, unsigned char *buffer, size_t n, unsigned strength);
EXPORTED int RAND_priv_bytes_ex(void *ctx, unsigned char *buffer, size_t n, unsigned strength);

/* More than the code that takes its place. */
#define FILL __asm__ volatile(".fill 128, 1, 0x90")

int RAND_bytes_ex(void *ctx, unsigned char *buffer, size_t n, unsigned strength)
{
	FILL;
	return !ctx && !strength && seeded_by_address(buffer, n);
}

int RAND_priv_bytes_ex(void *ctx, unsigned char *buffer, size_t n, unsigned strength)
{
	FILL;
	return !ctx && !strength && seeded_by_address(buffer, n);
}

static void draw(int (*function)(void *, unsigned char *, size_t, unsigned))
{
	unsigned char bytes[300], again[300];
	int fd = open("numbers", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	SHOW(function(NULL, bytes, sizeof(bytes), 0));
	SHOW(function(NULL, again, sizeof(again), 0));
	SHOW(function(NULL, again, 0, 0));
	SHOW(memcmp(bytes, again, sizeof(bytes)) != 0);
	SHOW(write(fd, bytes, sizeof(bytes)));
	close(fd);
}

int main(int argc, char **argv)
{
	draw(RAND_bytes_ex);
	draw(RAND_priv_bytes_ex);
	if (argc > 1)
		return 0;
	execl("/proc/self/exe", argv[0], "again", NULL);
	return 1;
}
