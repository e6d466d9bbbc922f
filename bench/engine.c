/*
 * What the engine alone costs per call: a leader and a follower drive getppid through it, as an in-process front-end
 * would, but no program runs and nobody sleeps.  Usage: engine-bench [CALLS]
 *
 *	leader, follower   each half by itself, in turns on one CPU: no cache line moves
 *	behind             two processes on two CPUs, the follower as close behind as it gets
 *	behind, calling    the same with a real getppid in the leader: what a program would see
 *	lockstep           the leader waits for the follower at every call
 *
 * The least of many short rounds is printed, in nanoseconds per call: the machine may have other things to do.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>

#define ARENA ((size_t)1 << 20)
#define ROUNDS 100
#define RING 1024
#define BATCH (RING / 4)	/* calls: two records each, so that none has to wait */

static const struct mv_call call = { .nr = SYS_getppid };
static struct mv_policy policy;
static cpu_set_t cpus;
static unsigned long calls = 5000;
static bool calling;

static void die(const char *what)
{
	fprintf(stderr, "engine-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t no_memory_of_a_program(void *task, uint64_t addr, void *dst, size_t len)
{
	(void)task, (void)addr, (void)dst, (void)len;
	return 0;
}

static size_t nowhere_to_write(void *task, uint64_t addr, const void *src, size_t len)
{
	(void)task, (void)addr, (void)src, (void)len;
	return 0;
}

static void *alloc(size_t size)
{
	return calloc(1, size);
}

static void release(void *p, size_t size)
{
	(void)size;
	free(p);
}

static int no_descriptors(void *task, const struct mv_share *share, uint64_t *handle)
{
	(void)task, (void)share, (void)handle;
	return -EBADF;
}

static const struct mv_ops ops = {
	.peek = no_memory_of_a_program, .poke = nowhere_to_write, .alloc = alloc, .free = release,
	.export_fd = no_descriptors,
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *shared(size_t size)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size))
		die("memfd_create");
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return p;
}

static struct mv_run *new_run(void *arena, int level)
{
	struct mv_config config = {
		.variants = 2, .ring_records = RING, .ring_bytes = 1 << 16, .layout = MV_LAYOUT_SAME,
		.seed = { 1, 2, 3, 4 }, .policy = &policy,
	};
	struct mv_run *run;

	memset(policy.level, level, sizeof(policy.level));
	run = mv_run_new(arena, ARENA, &config);
	if (!run)
		die("mv_run_new");
	return run;
}

static struct mv_thread *root(struct mv_run *run, unsigned variant)
{
	struct mv_thread *t = mv_thread_root(run, variant, 1000, &ops, NULL);

	if (!t)
		die("mv_thread_root");
	return t;
}

static void one_call(struct mv_thread *t)
{
	struct mv_step step;

	mv_enter(t, &call, &step);
	for (;;) {
		switch (step.action) {
		case MV_RUN:
			mv_exit(t, calling ? (int64_t)syscall(SYS_getppid) : 1, &step);
			break;
		case MV_PARK:
			__builtin_ia32_pause();
			mv_retry(t, &step);
			break;
		case MV_DONE:
			return;
		default:
			errno = EPROTO;
			die("a call ended the run");
		}
	}
}

static double many_calls(struct mv_thread *t, unsigned long n)
{
	double start = now();

	for (unsigned long i = 0; i < n; i++)
		one_call(t);
	return now() - start;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void in_turns(void)
{
	double leader = 1e18, follower = 1e18;

	for (unsigned round = 0; round < ROUNDS; round++) {
		void *arena = shared(ARENA);
		struct mv_run *run = new_run(arena, MV_LEVEL_RELAXED);
		struct mv_thread *t[2] = { root(run, 0), root(run, 1) };
		double sum[2] = { 0 };
		unsigned long n = calls / BATCH + 1;

		for (unsigned long i = 0; i < n; i++)
			for (unsigned v = 0; v < 2; v++)
				sum[v] += many_calls(t[v], BATCH);
		leader = least(leader, sum[0] / (double)(n * BATCH));
		follower = least(follower, sum[1] / (double)(n * BATCH));
		mv_thread_gone(t[0], 0);
		mv_thread_gone(t[1], 0);
		munmap(arena, ARENA);
	}
	printf("%-18s %7.1f ns\n%-18s %7.1f ns\n", "leader", leader, "follower", follower);
	fflush(stdout);
}

/* The caller goes to the n-th of the CPUs that the benchmark was started with. */
static void move_to(unsigned n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus) || n--)
			continue;
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			die("sched_setaffinity");
		return;
	}
	errno = 0;
	die("this needs two CPUs");
}

static double one_round(int level)
{
	void *arena = shared(ARENA);
	struct mv_run *run = new_run(arena, level);
	struct mv_thread *leader = root(run, 0);
	unsigned long warm = 2 * RING;
	double time;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		move_to(1);
		many_calls(root(run, 1), warm + calls);
		_exit(0);
	}
	move_to(0);
	many_calls(leader, warm);
	time = many_calls(leader, calls) / (double)calls;
	if (waitpid(pid, &status, 0) != pid || status)
		exit(1);
	mv_thread_gone(leader, 0);
	munmap(arena, ARENA);
	return time;
}

static void on_two_cpus(const char *name, int level, bool real)
{
	double best = 1e18;

	calling = real;
	for (unsigned round = 0; round < ROUNDS; round++)
		best = least(best, one_round(level));
	printf("%-18s %7.1f ns\n", name, best);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		calls = strtoul(argv[1], NULL, 10);
	if (!calls)
		calls = 1;
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("sched_getaffinity");
	in_turns();
	on_two_cpus("behind", MV_LEVEL_RELAXED, false);
	on_two_cpus("behind, calling", MV_LEVEL_RELAXED, true);
	on_two_cpus("lockstep", MV_LEVEL_LOCKSTEP, false);
	return 0;
}
