/*
 * Looks at the time stamp counter from code that is in files, the program's and a library's, also where the processor lets everybody
 * look: each names a file, which all variants must ask for.
 */
#include <pthread.h>
#include <x86intrin.h>
#include "calls.h"

/* Has room for a jump. */
static __attribute__((noinline, aligned(32))) uint64_t look(void)
{
	return __rdtsc();
}

static void ask_for(uint64_t value)
{
	char name[32];

	snprintf(name, sizeof(name), "t%llx", (unsigned long long)value);
	OUTCOME(access(name, F_OK));
}

static void looks(uint64_t (*function)(void))
{
	uint64_t last = function();
	int back = 0;

	for (int i = 0; i < 100; i++) {
		uint64_t now = function();

		back += now < last;
		last = now;
	}
	SHOW(back);
	ask_for(last);
}

static int in_child(void)
{
	looks(look);
	return 0;
}

static void *in_thread(void *calls)
{
	uint64_t (*function)(void) = (uint64_t (*)(void))dlsym(((struct calls *)calls)->handle, "calls_look");

	NEED(function);
	looks(function);
	return NULL;
}

int main(void)
{
	struct calls calls;
	pthread_t thread;

	looks(look);
	calls_open(&calls);
	in_thread(&calls);
	reap("child", spawn(in_child));
	NEED(pthread_create(&thread, NULL, in_thread, &calls) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	return 0;
}
