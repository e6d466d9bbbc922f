/*
 * Says what it was told.  Longer texts than its buffer run over into the heap, which the C library does not notice; a number
 * that is too large to be incremented is incremented all the same.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : "nothing";
	char reply[1024];
	int count, n;
	char *copy;

	/* Once more, by the name it was started by. */
	if (argc > 2 && !strcmp(text, "again")) {
		execv(argv[0], (char *[]){ argv[0], argv[2], NULL });
		return 1;
	}
	copy = malloc(64);
	if (!copy)
		return 1;
	strcpy(copy, text);
	count = argc > 2 ? atoi(argv[2]) : 0;
	count++;
	n = snprintf(reply, sizeof(reply), "%s %.0f\n", copy, sqrt(count));
	free(copy);
	return write(STDOUT_FILENO, reply, (size_t)n) != n;
}
