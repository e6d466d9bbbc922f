#!/bin/sh
# test: timeout=60 needs=gcc corners prepare
# The conservative collector libgc: roots are found on stacks and in registers; its threads stop each other by signals; finalizers.
if [ "$1" = prepare ]; then
	cat > collect.c << 'C'
#define GC_THREADS
#include <gc.h>
#include <pthread.h>
#include <stdio.h>

struct tree { struct tree *left, *right; long value; };

static int finalized;

static struct tree *grow(int depth, long value)
{
	struct tree *t = GC_MALLOC(sizeof(*t));

	t->value = value;
	if (depth) {
		t->left = grow(depth - 1, 2 * value);
		t->right = grow(depth - 1, 2 * value + 1);
	}
	return t;
}

static long sum(const struct tree *t)
{
	return t ? t->value + sum(t->left) + sum(t->right) : 0;
}

static void ended(void *object, void *data)
{
	(void)object, (void)data;
	finalized++;
}

static void *work(void *arg)
{
	struct tree *kept = grow(8, 1);
	long total = 0;

	for (int i = 0; i < 40; i++)
		total += sum(grow(10, i));
	return (void *)(total + sum(kept) + (long)arg);
}

int main(int argc, char **argv)
{
	struct tree *kept;
	pthread_t threads[3];
	long total = 0;
	void *r;

	(void)argv;
	GC_INIT();
	kept = grow(12, 1);
	for (int i = 0; i < 300; i++)
		GC_REGISTER_FINALIZER(GC_MALLOC(32), ended, NULL, NULL, NULL);
	for (int i = 0; i < 200; i++)
		total += sum(grow(10, i));
	printf("%ld %ld\n", total, sum(kept));
	for (long i = 0; argc > 1 && i < 3; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; argc > 1 && i < 3; i++) {
		pthread_join(threads[i], &r);
		printf("thread %ld\n", (long)r);
	}
	GC_gcollect();
	GC_invoke_finalizers();
	printf("collected %d, finalized %d, small %d\n", GC_get_gc_no() > 1, finalized > 100, GC_get_heap_size() < (64u << 20));
	return 0;
}
C
	gcc -O1 -pthread -o collect collect.c -lgc
	exit $?
fi
"$MV_TEST_PREPARED/collect"
"$MV_TEST_PREPARED/collect" threads
