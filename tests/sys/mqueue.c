/* POSIX message queues: priorities, limits, lengths that cannot be, a signal and a thread's start at the first message. */
#include <mqueue.h>
#include "check.h"

static volatile sig_atomic_t told;

static void tell(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = info->si_value.sival_int + (info->si_code == SI_MESGQ);
}

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 40 };
	struct sigaction sa = { .sa_sigaction = tell, .sa_flags = SA_SIGINFO };
	struct timespec past = { 1, 0 };
	struct { char text[16]; void *own; } m = { "hello", &m };
	char name[64], in[16] = "";
	unsigned prio = 0;
	mqd_t q;

	snprintf(name, sizeof(name), "/mvarmor-test-%d", (int)getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	NEED(q >= 0);
	OUTCOME(mq_send(q, m.text, 6, 1));
	OUTCOME(mq_send(q, "urgent", 7, 9));
	OUTCOME(mq_send(q, m.text, (size_t)-1, 1));
	OUTCOME(mq_send(q, m.text, sizeof(m.text), 99999));
	SHOW(mq_getattr(q, &attr));
	SHOW(attr.mq_curmsgs);
	SHOW(mq_receive(q, in, sizeof(in), &prio));
	printf("%s %u\n", in, prio);
	SHOW(mq_receive(q, in, sizeof(in), &prio));
	printf("%s %u\n", in, prio);
	OUTCOME(mq_receive(q, in, 3, &prio));
	OUTCOME(mq_timedreceive(q, in, sizeof(in), &prio, &past));

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	OUTCOME(mq_notify(q, &ev));
	OUTCOME(mq_notify(q, &ev));
	if (fork() == 0)
		_exit(mq_send(q, "told", 5, 0));
	while (!told)
		sleep_ms(10);
	SHOW(told);
	SHOW(mq_receive(q, in, sizeof(in), NULL));
	OUTCOME(mq_unlink(name));
	OUTCOME(mq_close(q));
	SHOW(wait(NULL) > 0);
	return 0;
}
