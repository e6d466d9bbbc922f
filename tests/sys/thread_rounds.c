/*
 * Threads that have waited in a loop without calls take and release a lock again and again, as long as others wait for their turns: while
 * such a thread is within the lock's functions, nothing of it but its stack tells one round from another.  How far each has come
 * when another one sees it is the same in all variants.
 */
#include "turns.h"

#define THREADS 3
#define ROUNDS 3000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint begun;
static unsigned place, seen[THREADS];

static void *rounds(void *arg)
{
	begun++;
	while (begun < THREADS)
		;
	for (int i = 0; i < ROUNDS; i++) {
		while (pthread_mutex_trylock(&lock))
			;
		place++;
		pthread_mutex_unlock(&lock);
	}
	seen[(long)arg] = place;
	return (void *)1;
}

int main(void)
{
	SHOW(together(THREADS, rounds));
	SHOW(place);
	tell(seen, sizeof(seen));
	return 0;
}
