/*
 * A thread that counts while it waits for work, and comes to a lock when it has counted far enough, as redis's do that write to its
 * clients: whether that is held then is another matter in each variant, and one sleeps for it where the other goes on.
 */
#include "turns.h"

#define ROUNDS 150
#define FAR 1000000

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_long pending;

static void *help(void *arg)
{
	long done = 0;

	while (done < ROUNDS) {
		for (int i = 0; i < FAR && !atomic_load(&pending); i++)
			;
		if (!atomic_load(&pending)) {
			pthread_mutex_lock(&gate);
			pthread_mutex_unlock(&gate);
			continue;
		}
		tell(&done, sizeof(done));
		done++;
		atomic_store(&pending, 0);
	}
	return arg;
}

int main(void)
{
	pthread_t helper = begin(help, 5);

	for (long i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&gate);
		usleep((useconds_t)(100 + i * 613 % 2500));
		tell(&i, sizeof(i));
		pthread_mutex_unlock(&gate);
		tell(&i, sizeof(i));
		atomic_store(&pending, 1);
		while (atomic_load(&pending))
			;
	}
	printf("helped: %ld\n", end(helper));
	return 0;
}
