/* Signals that carry a pointer: of timers, of the program's own, of a message queue; and threads that timers start. */
#include <mqueue.h>
#include <pthread.h>
#include "check.h"

static struct job {
	const char *name;
	volatile sig_atomic_t done;
} timer_job = { "timer", 0 };

static struct job *volatile last;

static void take(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	last = info->si_value.sival_ptr;
	last->done++;
}

static void in_thread(union sigval v)
{
	struct job *j = v.sival_ptr;

	j->done++;
}

static void handle(int sig)
{
	struct sigaction sa = { .sa_sigaction = take, .sa_flags = SA_SIGINFO | SA_RESTART };

	NEED(sigaction(sig, &sa, NULL) == 0);
}

static timer_t start(struct sigevent *e, long every)
{
	struct itimerspec its = { { 0, every }, { 0, 10000000 } };
	timer_t t;

	NEED(timer_create(CLOCK_MONOTONIC, e, &t) == 0 && timer_settime(t, 0, &its, NULL) == 0);
	return t;
}

static void await(struct job *j, int n)
{
	while (j->done < n)
		sleep_ms(5);
	printf("%s: done\n", j->name);
}

static void by_timers(void)
{
	struct job on_stack = { "a job on the stack", 0 }, *on_heap = calloc(1, sizeof(*on_heap));
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_ptr = &on_stack };
	struct sigevent thread = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread,
				   .sigev_value.sival_ptr = on_heap };
	timer_t a, b, c[20];

	on_heap->name = "a job on the heap";
	handle(SIGRTMIN);
	a = start(&e, 0);
	await(&on_stack, 1);
	SHOW(last == &on_stack);
	e.sigev_value.sival_ptr = &timer_job;
	b = start(&e, 2000000);
	await(&timer_job, 5);
	SHOW(timer_delete(a));
	SHOW(timer_delete(b));
	b = start(&thread, 0);
	await(on_heap, 1);
	SHOW(timer_delete(b));
	for (int i = 0; i < 20; i++) {
		e.sigev_value.sival_ptr = on_heap;
		c[i] = start(&e, 0);
	}
	await(on_heap, 21);
	for (int i = 0; i < 20; i++)
		NEED(timer_delete(c[i]) == 0);
}

static void by_queue(void)
{
	struct job job = { "sent", 0 };
	sigset_t set;
	siginfo_t info;

	handle(SIGUSR1);
	SHOW(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_ptr = &job }));
	SHOW(job.done);
	for (int i = 0; i < 100; i++) {
		struct job *j = calloc(1, sizeof(*j));

		NEED(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_ptr = j }) == 0);
		NEED(j->done == 1);
		if (i % 2)
			free(j);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	SHOW(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_ptr = &job }));
	SHOW(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 7 }));
	SHOW(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
	SHOW(info.si_value.sival_ptr == &job);
	SHOW(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
	SHOW(info.si_value.sival_int);
}

static void by_message(void)
{
	struct job job = { "message", 0 };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_ptr = &job };
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 8 };
	char name[64];
	mqd_t q;

	snprintf(name, sizeof(name), "/mvarmor-test-v-%d", (int)getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	NEED(q >= 0 && mq_unlink(name) == 0);
	handle(SIGUSR2);
	OUTCOME(mq_notify(q, &e));
	OUTCOME(mq_send(q, "hello", 6, 0));
	await(&job, 1);
}

int main(void)
{
	by_timers();
	by_queue();
	by_message();
	return 0;
}
