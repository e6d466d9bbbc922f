/* A struct that a process sends its child as it lies in memory, pointers and all; the child puts its own in the place. */
/* test: layouts */
#include "check.h"

struct options {
	int number;
	char *name;
	char pad[5000];
	int (*function)(const char *);
	const char *constant;
	int last;
};

static int ends[2];

static void take(int fd, void *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t more = read(fd, (char *)to + got, n - got);

		NEED(more > 0);
		got += (size_t)more;
	}
}

/* Messages of all lengths in which a pointer is at every place of a word. */
static void short_ones(const void *pointer, unsigned char *bytes)
{
	for (size_t n = sizeof(pointer); n < 24; n++) {
		memset(bytes, 'x', n);
		memcpy(bytes + n - sizeof(pointer), &pointer, sizeof(pointer));
		NEED(write(ends[0], bytes, n) == (ssize_t)n);
	}
}

static int child(void)
{
	unsigned char bytes[1 + sizeof(struct options) + 3], *back = bytes + 4000;
	struct options o;

	close(ends[0]);
	take(ends[1], bytes, 1 + sizeof(o));
	memcpy(&o, bytes + 1, sizeof(o));
	o.name = strdup("mine");
	printf("child: %d %s %c %d\n", o.number, o.name, o.pad[4999], o.last);
	for (size_t n = sizeof(void *); n < 24; n++) {
		take(ends[1], bytes, n);
		printf(" %zu", strspn((char *)bytes, "x"));
		memcpy(back, bytes, n);
	}
	puts("");
	fflush(stdout);
	/* What it has read is the same in all variants when it goes back. */
	NEED(write(ends[1], back, 23) == 23);
	return 0;
}

int main(void)
{
	unsigned char bytes[1 + sizeof(struct options)];
	struct options o = { .number = 5, .last = 6 };
	int status;
	pid_t pid;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	fflush(stdout);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0)
		_exit(child());
	memset(o.pad, 'p', sizeof(o.pad));
	o.name = strdup("name");
	o.function = atoi;
	o.constant = "constant";
	bytes[0] = 1;
	memcpy(bytes + 1, &o, sizeof(o));
	NEED(write(ends[0], bytes, sizeof(bytes)) == sizeof(bytes));
	short_ones(o.name, bytes);
	take(ends[0], bytes, 23);
	/* An address of one variant's is not taken for what it is not in the others. */
	NEED(write(ends[0], bytes, 23) == 23);
	NEED(waitpid(pid, &status, 0) == pid);
	show_status("child", status);
	return 0;
}
