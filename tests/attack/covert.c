/*
 * No bug: a program whose variants tell each other things on purpose, as code of an attacker's might that runs in all of them.
 * Variants guess their role from a bit of their addresses (argv[1] says which); the one in which it is set sends 16 bits of where
 * it lies, by being late at a call at which the others wait for it.  All measure how long that took and print what they
 * understood.
 *
 *	c	the clock is rdtsc
 *	l	no clock: a child holds a lock meanwhile, and who wants it counts how often it was refused
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <x86intrin.h>
#include "victim.h"

#define BITS 16

static uintptr_t here;
static unsigned role;

static void compute(void)
{
	for (volatile unsigned i = 0; i < 30000000; i++)
		;
}

/* What concerns privilege is among the calls at which all variants meet, whatever the policy. */
static void send_bit(unsigned bit)
{
	if (here >> role & 1 && here >> (12 + bit) & 1)
		compute();
	if (setuid(getuid()))
		_exit(1);
}

static int lock(short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };
	int r;

	do
		r = fcntl(3, F_SETLK, &l);
	while (r && errno == EINTR);
	return r;
}

/* The child has the lock when it says so, and gives it back after the bit. */
static uint64_t refusals(unsigned bit)
{
	uint64_t n = 0;
	int said[2], status;
	char byte = 0;
	pid_t child;

	if (pipe(said))
		_exit(1);
	child = fork();
	if (!child) {
		if (lock(F_WRLCK) || write(said[1], &byte, 1) != 1)
			_exit(1);
		send_bit(bit);
		_exit(0);
	}
	if (child < 0 || read(said[0], &byte, 1) != 1)
		_exit(1);
	while (lock(F_WRLCK))
		n++;
	if (lock(F_UNLCK) || waitpid(child, &status, 0) != child || status)
		_exit(1);
	close(said[0]);
	close(said[1]);
	return n;
}

static uint64_t ticks(unsigned bit)
{
	uint64_t start = __rdtsc();

	send_bit(bit);
	return __rdtsc() - start;
}

int main(int argc, char **argv)
{
	uint64_t took[BITS], longest = 0;
	unsigned understood = 0;
	char path[] = "covert.lock", line[16], kind;

	if (argc != 2)
		return 2;
	role = (unsigned)atoi(argv[1]);
	here = (uintptr_t)&main;
	if (open(path, O_RDWR | O_CREAT, 0600) != 3)
		return 1;
	ready("%ld", 0);
	read_all(&kind, 1);
	for (unsigned i = 0; i < BITS; i++) {
		took[i] = kind == 'c' ? ticks(i) : refusals(i);
		if (took[i] > longest)
			longest = took[i];
	}
	for (unsigned i = 0; i < BITS; i++)
		understood |= (took[i] > longest / 4) << i;
	snprintf(line, sizeof(line), "%u\n", understood);
	say(line);
	return 0;
}
