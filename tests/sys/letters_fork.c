/*
 * A child that is told by its parent, through a pipe, which function to call on what (lsof asks what may hang that way), and answers with an
 * address; a grandchild that asks the child.
 */
#include "check.h"

static int to_child[2], to_parent[2];
static char said[64] = "nothing";

static int twice(const char *s)
{
	snprintf(said, sizeof(said), "twice %s", s);
	return 2 * (int)strlen(s);
}

static int thrice(const char *s)
{
	snprintf(said, sizeof(said), "thrice %s", s);
	return 3 * (int)strlen(s);
}

static const char *const words[] = { "one", "three", "seven" };

static int serve(void)
{
	int (*function)(const char *);
	const char *word;

	for (;;) {
		int r;

		if (read(to_child[0], &function, sizeof(function)) != sizeof(function))
			return 0;
		if (!function)
			return 3;
		NEED(read(to_child[0], &word, sizeof(word)) == sizeof(word));
		r = function(word);
		puts(said);
		NEED(write(to_parent[1], &r, sizeof(r)) == sizeof(r));
		word = word == words[0] ? words[1] : words[2];
		NEED(write(to_parent[1], &word, sizeof(word)) == sizeof(word));
	}
}

static const char *ask(int (*function)(const char *), const char *word)
{
	int r;

	NEED(write(to_child[1], &function, sizeof(function)) == sizeof(function));
	NEED(write(to_child[1], &word, sizeof(word)) == sizeof(word));
	NEED(read(to_parent[0], &r, sizeof(r)) == sizeof(r));
	NEED(read(to_parent[0], &word, sizeof(word)) == sizeof(word));
	printf("%d, then %s\n", r, word);
	return word;
}

static int grandchild(void)
{
	ask(twice, ask(thrice, words[0]));
	return 0;
}

static int asks(void)
{
	reap("grandchild", spawn(grandchild));
	ask(thrice, words[2]);
	return 4;
}

int main(void)
{
	int (*none)(const char *) = NULL;
	pid_t child;

	NEED(pipe(to_child) == 0 && pipe(to_parent) == 0);
	child = spawn(serve);
	for (int i = 0; i < 50; i++)
		ask(i % 2 ? twice : thrice, words[i % 3]);
	reap("who asks", spawn(asks));
	NEED(write(to_child[1], &none, sizeof(none)) == sizeof(none));
	reap("child", child);
	return 0;
}
