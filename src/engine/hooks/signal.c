/*
 * Signals.  rt_sigaction: handlers are addresses; what must agree is whether there is one.
 *
 * A queued signal carries a value that the program has given, which may be a pointer.  Each variant remembers its own: by the
 * timer's number, which is in the signal, or by the leader's value, which comes with the result of the call (a signal of
 * its own that a process has queued, a message queue's).  A pointer to another process natively has no meaning there.
 */
#include "engine/internal.h"

#define NR_MQ_NOTIFY 244
#define NR_RT_TGSIGQUEUEINFO 297
#define NR_PIDFD_SEND_SIGNAL 424
#define NR_RT_SIGQUEUEINFO 129
#define SIGEV_THREAD_ 2
#define SI_TIMER_ (-2)
#define SI_SIGIO_ (-5)
#define SI_TKILL_ (-6)

/* Of siginfo, and of sigevent. */
#define INFO_CODE 8
#define INFO_TIMER 16
#define INFO_VALUE 24
#define EVENT_VALUE 0
#define EVENT_NOTIFY 12

#define SENT_MAX 64		/* values other than timers' that are known; more than are under way at once */

static void normalise(struct mv_thread *t)
{
	uint64_t handler;

	if (t->call.args[1] && mv_peek_all(t, t->call.args[1], &handler, 8))
		t->norm[1] = 1 + (handler > 1 ? 2 : handler);	/* null, default, ignore, function */
}

const struct mv_hook mv_hook_sigaction = { .normalise = normalise };

/* ---- values ---- */

struct mv_sigvalues {
	unsigned ntimers, max;
	unsigned next;			/* of sent */
	struct value {
		uint64_t key;		/* a timer's number, the leader's value */
		uint64_t own;
	} sent[SENT_MAX], timers[];
};

static size_t size_for(unsigned timers)
{
	return sizeof(struct mv_sigvalues) + timers * sizeof(struct value);
}

void mv_sigvalues_free(struct mv_process *p)
{
	if (p->sigvalues)
		p->ops->free(p->sigvalues, size_for(p->sigvalues->max));
	p->sigvalues = NULL;
}

/* NULL: the run has failed. */
static struct mv_sigvalues *with_room(struct mv_process *p)
{
	struct mv_sigvalues *old = p->sigvalues, *v;
	unsigned max = old ? 2 * old->max : 8;

	if (old && old->ntimers < old->max)
		return old;
	v = p->ops->alloc(size_for(max));
	if (!v) {
		mv_run_fail(p->run, MV_VERDICT_FAILURE, "out of memory for the engine");
		return NULL;
	}
	if (old)
		__builtin_memcpy(v, old, size_for(old->max));
	v->max = max;
	mv_sigvalues_free(p);
	p->sigvalues = v;
	return v;
}

static struct value *find(struct value *v, unsigned n, uint64_t key)
{
	for (; n; n--, v++)
		if (v->key == key)
			return v;
	return NULL;
}

void mv_sigvalue_adopt(struct mv_thread *t, uint8_t info[MV_SIGINFO_SIZE])
{
	struct mv_sigvalues *s = t->process->sigvalues;
	struct value *v = NULL;
	uint32_t timer;
	uint64_t key;
	int32_t code;

	__builtin_memcpy(&code, info + INFO_CODE, sizeof(code));
	__builtin_memcpy(&timer, info + INFO_TIMER, sizeof(timer));
	__builtin_memcpy(&key, info + INFO_VALUE, sizeof(key));
	if (!s || code >= 0 || code == SI_TKILL_ || code == SI_SIGIO_)
		return;
	v = code == SI_TIMER_ ? find(s->timers, s->ntimers, timer) : key ? find(s->sent, SENT_MAX, key) : NULL;
	if (v)
		__builtin_memcpy(info + INFO_VALUE, &v->own, sizeof(v->own));
}

/* ---- timers ---- */

static void timer_create_done(struct mv_thread *t)
{
	struct mv_sigvalues *s;
	struct value v = { 0 };
	uint32_t timer;

	if (t->leads || is_error(t->result) || !t->call.args[1] ||
	    !mv_peek_all(t, t->call.args[1] + EVENT_VALUE, &v.own, sizeof(v.own)) ||
	    !mv_peek_all(t, t->call.args[2], &timer, sizeof(timer)))
		return;
	s = with_room(t->process);
	v.key = timer;
	if (s)
		s->timers[s->ntimers++] = v;
}

const struct mv_hook mv_hook_timer_create = { .done = timer_create_done };

static void timer_delete_done(struct mv_thread *t)
{
	struct mv_sigvalues *s = t->process->sigvalues;
	struct value *v = s && !is_error(t->result) ? find(s->timers, s->ntimers, (uint32_t)t->call.args[0]) : NULL;

	if (v)
		*v = s->timers[--s->ntimers];
}

const struct mv_hook mv_hook_timer_delete = { .done = timer_delete_done };

/* ---- signals of the program's own ---- */

static uint64_t value_at(const struct mv_thread *t)
{
	switch (t->call.nr) {
	case NR_MQ_NOTIFY:
		return t->call.args[1] ? t->call.args[1] + EVENT_VALUE : 0;
	case NR_RT_SIGQUEUEINFO:
	case NR_PIDFD_SEND_SIGNAL:
		return t->call.args[2] ? t->call.args[2] + INFO_VALUE : 0;
	default:
		return t->call.args[3] ? t->call.args[3] + INFO_VALUE : 0;
	}
}

/* What a thread is started with comes back through a socket, as bytes that nobody knows to be addresses. */
static int notify_prepare(struct mv_thread *t)
{
	int32_t how = 0;

	if (t->call.args[1])
		mv_peek_all(t, t->call.args[1] + EVENT_NOTIFY, &how, sizeof(how));
	return how == SIGEV_THREAD_ ? -ENOSYS : 0;
}

static void send_collect(struct mv_thread *t)
{
	uint64_t at = value_at(t);

	if (at)
		mv_peek_all(t, at, &t->extra, sizeof(t->extra));
}

/* The signal may be there before the call is done. */
static bool send_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint64_t at = value_at(t), own = 0;
	struct mv_sigvalues *s = t->process->sigvalues;
	struct value *v;

	(void)last;
	(void)step;
	t->own = t->result;
	if (!at || !t->extra || !mv_peek_all(t, at, &own, sizeof(own)) || (!s && own == t->extra))
		return false;
	s = with_room(t->process);
	v = s ? find(s->sent, SENT_MAX, t->extra) : NULL;
	if (s && !v && own != t->extra)
		v = &s->sent[s->next++ % SENT_MAX];
	if (v)
		*v = (struct value){ .key = t->extra, .own = own };
	return false;
}

const struct mv_hook mv_hook_mq_notify = { .prepare = notify_prepare, .collect = send_collect, .follow = send_follow };
const struct mv_hook mv_hook_sigqueue = { .collect = send_collect, .follow = send_follow };

/* ---- taking them ---- */

static void wait_adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	(void)d;
	if (!offset && len == MV_SIGINFO_SIZE)
		mv_sigvalue_adopt(t, bytes);
}

const struct mv_hook mv_hook_sigwait = { .adopt = wait_adopt };

/* ---- signalfd ---- */

struct signal_record {			/* struct signalfd_siginfo */
	uint32_t signo;
	int32_t err, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t timer, band, overrun, trap;
	int32_t status, number;
	uint64_t value;
	uint8_t rest[72];
};
_Static_assert(sizeof(struct signal_record) == 128, "the kernel's");

static void signalfd_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){ .kind = MV_FDKIND_OTHER, .flags = MV_FD_SIGNALS });
}

const struct mv_hook mv_hook_signalfd = { .done = signalfd_done };

static void adopt_record(struct mv_thread *t, struct signal_record *r)
{
	uint8_t info[MV_SIGINFO_SIZE] = { 0 };

	__builtin_memcpy(info + INFO_CODE, &r->code, sizeof(r->code));
	__builtin_memcpy(info + INFO_TIMER, &r->timer, sizeof(r->timer));
	__builtin_memcpy(info + INFO_VALUE, &r->value, sizeof(r->value));
	mv_sigvalue_adopt(t, info);
	__builtin_memcpy(&r->value, info + INFO_VALUE, sizeof(r->value));
	__builtin_memcpy(&r->number, info + INFO_VALUE, sizeof(r->number));
}

/* A read is over: the leader's records are there. */
void mv_signal_records(struct mv_thread *t)
{
	struct signal_record r;

	if (t->leads || !t->process->sigvalues || !(mv_fd_get(t->process->files, (int32_t)t->call.args[0])->flags & MV_FD_SIGNALS))
		return;
	for (int64_t at = 0; at + (int64_t)sizeof(r) <= t->result; at += sizeof(r)) {
		uint64_t to = t->call.args[1] + (uint64_t)at;

		if (!mv_peek_all(t, to, &r, sizeof(r)))
			return;
		adopt_record(t, &r);
		t->ops->poke(t->task, to + offsetof(struct signal_record, number), &r.number, sizeof(r.number) + sizeof(r.value));
	}
}
