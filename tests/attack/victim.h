/*
 * What the vulnerable programs have in common.  Each has one bug that real programs have had, and is otherwise well.
 *
 * It says "ready PID NUMBERS..." when it waits for its attacker, who has leaked whatever there is to leak (attacks.py reads the
 * leader's maps and memory), and sends lumps of bytes behind a length.  A program that was taken over says PWNED.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))

/* The rest of the line is for what an attacker knows from the program's file: distances, no addresses. */
static UNUSED void ready(const char *format, long value)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "ready %d ", getpid());

	n += snprintf(line + n, sizeof(line) - (size_t)n, format, value);
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(1);
}

static UNUSED void read_all(void *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = read(0, (char *)to + have, n - have);

		if (r <= 0)
			_exit(1);
		have += (size_t)r;
	}
}

/* The length comes first, and is believed. */
static UNUSED size_t receive(void *to)
{
	uint16_t n;

	read_all(&n, sizeof(n));
	read_all(to, n);
	return n;
}

static UNUSED void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

/* What no input should ever reach.  Attackers come here with a stack that is aligned anyhow. */
static UNUSED NOINLINE __attribute__((force_align_arg_pointer, used)) void win(void)
{
	execl("/bin/echo", "echo", "PWNED", (char *)NULL);
	_exit(1);
}

#endif
