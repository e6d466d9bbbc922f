/*
 * A write behind the end of a heap object, into the next one: the program tells which of its objects has changed.  glibc lays
 * them out in a row, in every variant alike.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define OBJECTS 600	/* more than a slab holds */
#define SIZE 24
#define VICTIM 10

int main(void)
{
	static uint64_t *objects[OBJECTS];
	volatile uint64_t *p;

	for (unsigned i = 0; i < OBJECTS; i++) {
		objects[i] = malloc(SIZE);
		objects[i][0] = i;
	}
	p = objects[VICTIM];
	p[3] = 0x21;		/* what glibc keeps there */
	p[4] = 1000;
	for (unsigned i = 0; i < OBJECTS; i++)
		if (objects[i][0] != i)
			printf("object %u is now %llu\n", i, (unsigned long long)objects[i][0]);
	return 0;
}
