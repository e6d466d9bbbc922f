/*
 * Calls that make threads and processes, execute programs, or end.
 */
#include "monitor/monitor.h"

#define NR_CLONE 56
#define NR_FORK 57
#define NR_VFORK 58
#define NR_EXECVE 59
#define NR_EXIT 60
#define NR_GETTID 186
#define NR_EXIT_GROUP 231
#define NR_EXECVEAT 322
#define NR_CLONE3 435
#define CLONE_VM_ 0x100u
#define CLONE_VFORK_ 0x4000u
#define SIGCHLD_ 17u

struct clone_args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, rest[5]; };

bool mon_is_process_call(const struct mv_call *call)
{
	switch (call->nr) {
	case NR_CLONE:
	case NR_FORK:
	case NR_VFORK:
	case NR_EXECVE:
	case NR_EXIT:
	case NR_EXIT_GROUP:
	case NR_EXECVEAT:
	case NR_CLONE3:
		return true;
	default:
		return false;
	}
}

/* ---- threads of this process ---- */

void mon_thread_init(struct mon_thread *m)
{
	m->state->self = m;
	m->state->frame = &m->frame;
	m->state->inuse = 1;
	m->thread = NULL;
	m->child = NULL;
	m->attached = 0;
	m->parent_step = NULL;
	m->spin = mon.spin_max < MON_SPIN_MIN ? mon.spin_max : MON_SPIN_MIN;
}

/* The block of a thread that is gone, or a new one. */
struct mon_thread *mon_thread_make(void)
{
	struct mon_thread *m;

	for (m = mon.threads; m; m = m->next)
		if (!__atomic_load_n(&m->state->inuse, __ATOMIC_ACQUIRE))
			break;
	if (!m) {
		m = mon.nthreads < MON_THREADS ? mon_alloc(sizeof(*m)) : NULL;
		if (!m)
			return NULL;
		m->state = &mon_states[mon.nthreads++];
		m->next = mon.threads;
		mon.threads = m;
	}
	m->state->pending = 0;
	mon_thread_init(m);
	return m;
}

/* In the child, which has one thread: make the engine's copy of its parent's thread the child's. */
static void become_child(struct mon_thread *m)
{
	uint32_t tid = (uint32_t)mon_kernel(NR_GETTID, 0, 0, 0, 0, 0);
	struct mv_thread *parent = m->thread;

	m->thread = mv_thread_child(parent, tid, m);
	if (!m->thread)
		mon_stop();
	for (struct mon_thread *other = mon.threads; other; other = other->next) {
		if (other == m)
			continue;
		if (other->thread)
			mv_thread_forget(other->thread);
		other->thread = NULL;
		other->state->inuse = 0;
	}
	mv_thread_forget(parent);
	mon.shared = false;
}

/* A child that shares our memory begins: on its own monitor stack, its frame filled by its parent. */
void mon_child(void)
{
	struct mon_thread *m = mon_self();
	uint32_t tid = (uint32_t)mon_kernel(NR_GETTID, 0, 0, 0, 0, 0);
	struct mv_thread *parent = m->thread;
	struct mv_step step;

	mon_lock();
	m->thread = mv_thread_child(parent, tid, m);
	if (!m->thread)
		mon_stop();
	/* The parent of a vfork is suspended, but its twins wait to be told of the child. */
	if (m->parent_step) {
		mv_exit(parent, tid, m->parent_step);
		mon_wake(parent);
		mon_settle(m, parent, m->parent_step);
	}
	mon_unlock();
	mon_set_word(&m->attached, 1);
	mon_lock();
	mv_thread_begin(m->thread, &step);
	mon_wake(m->thread);
	mon_finish(m, &step);
	mon_signal_at_end(m);
	mon_unlock();
	mon_leave();
}

/* ---- clone ---- */

/* What the program asks for, whichever call it is: flags and stack. */
static uint64_t clone_flags(const struct mv_call *c, const struct clone_args *args, uint64_t *stack)
{
	*stack = 0;
	switch (c->nr) {
	case NR_FORK:
		return SIGCHLD_;
	case NR_VFORK:
		return CLONE_VFORK_ | CLONE_VM_ | SIGCHLD_;
	case NR_CLONE:
		*stack = c->args[1];
		return c->args[0];
	default:
		if (args->stack)
			*stack = args->stack + args->stack_size;
		return args->flags;
	}
}

/* The child gets a monitor stack; what the program meant as its stack is in its frame. */
static int64_t clone_shared(struct mon_thread *m, struct mon_thread *c, struct mv_call call, struct clone_args *args,
			    uint64_t stack, struct mv_step *parent_step)
{
	int64_t r;

	c->frame = m->frame;
	c->frame.rax = 0;
	if (stack)
		c->frame.rsp = stack;
	c->thread = m->thread;		/* until it has its own */
	c->parent_step = parent_step;
	switch (call.nr) {
	case NR_VFORK:
		call = (struct mv_call){ .nr = NR_CLONE, .args = { CLONE_VFORK_ | CLONE_VM_ | SIGCHLD_ } };
		/* fall through */
	case NR_CLONE:
		call.args[1] = (uint64_t)&c->frame - 256;
		break;
	default:
		args->stack = (uint64_t)c->stack;
		args->stack_size = sizeof(c->stack);
		call.args[0] = (uint64_t)args;
	}
	mon_share();
	mon_unlock();
	r = mon_clone(&call);
	if (!mon_is_error(r))
		mon_wait_word(&c->attached, 0);
	mon_lock();
	if (mon_is_error(r)) {
		c->thread = NULL;
		c->state->inuse = 0;
	}
	m->child = mon_is_error(r) ? NULL : c;
	return r;
}

/* With the lock held: the child finds the monitor at rest, and is on the monitor's stack, where its parent was. */
static int64_t clone_apart(struct mon_thread *m, struct mv_call call, struct clone_args *args, uint64_t stack)
{
	int64_t r;

	if (call.nr == NR_CLONE3) {
		if (args->stack && args->stack_size)
			args->stack = args->stack_size = 0;
		call.args[0] = (uint64_t)args;
	} else if (call.nr == NR_CLONE) {
		call.args[1] = 0;
	}
	r = mon_kernel(call.nr, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4]);
	if (!r) {
		struct mv_step begin;

		become_child(m);
		if (stack)
			m->frame.rsp = stack;
		m->frame.rax = 0;
		mv_thread_begin(m->thread, &begin);
		mon_wake(m->thread);
		mon_finish(m, &begin);
		mon_signal_at_end(m);
		mon_unlock();
		mon_leave();
	}
	if (!mon_is_error(r))
		mv_thread_child_apart(m->thread);
	return r;
}

static uint64_t head_of(const struct mon_thread *m)
{
	return (uint64_t)&mon_heads[m->state - mon_states];
}

/* *ended: step tells by now what comes next. */
static int64_t clone(struct mon_thread *m, struct mv_step *step, bool *ended)
{
	struct mv_call call = step->call;
	struct clone_args args = { 0 };
	struct mon_thread *c = NULL;
	uint64_t flags, stack;
	size_t size;
	int64_t r;

	size = call.args[1] < sizeof(args) ? call.args[1] : sizeof(args);
	if (call.nr == NR_CLONE3 && mon_peek(NULL, call.args[0], &args, size) < size)
		return -EFAULT;
	flags = clone_flags(&call, &args, &stack);
	/* Its parent's engine would be told of the child by nobody until it ends: let the parent go on. */
	if ((flags & (CLONE_VFORK_ | CLONE_VM_)) == CLONE_VFORK_) {
		flags &= ~(uint64_t)CLONE_VFORK_;
		args.flags = flags;
		if (call.nr == NR_CLONE)
			call.args[0] = flags;
	}
	if (flags & CLONE_VM_) {
		c = mon_thread_make();
		if (!c)
			return -ENOMEM;
	}
	r = mon_service4(MON_CLONE, step->child_tid, mv_thread_child_set(m->thread), head_of(c ? c : m), flags);
	if (mon_is_error(r)) {
		if (c)
			c->state->inuse = 0;
		return r;
	}
	if (flags & CLONE_VM_) {
		*ended = flags & CLONE_VFORK_;
		r = clone_shared(m, c, call, &args, stack, *ended ? step : NULL);
		if (mon_is_error(r))
			*ended = false;
		/* A child of vfork has executed a program or ended: its traces here are of no use any more. */
		if (flags & CLONE_VFORK_ && m->child) {
			if (m->child->thread)
				mv_thread_forget(m->child->thread);
			m->child->thread = NULL;
			m->child->state->inuse = 0;
		}
		m->child = NULL;
		return r;
	}
	return clone_apart(m, call, &args, stack);
}

/* ---- exec and exit ---- */

static int64_t execute(struct mon_thread *m, const struct mv_call *call)
{
	size_t size;
	void *frozen = mv_thread_freeze(m->thread, &size);
	int64_t r;

	if (!frozen)
		return -ENOMEM;
	r = mon_service(MON_FREEZE, (uint64_t)frozen, size);
	mon_free(frozen, size);
	if (mon_is_error(r))
		return r;
	mon_unlock();
	r = mon_gate(call);
	mon_lock();
	mon_service(MON_FREEZE, 0, 0);
	return r;
}

static _Noreturn void end_thread(struct mon_thread *m, const struct mv_call *call)
{
	struct mv_thread *t = m->thread;

	m->thread = NULL;
	mv_thread_forget(t);
	mon_unlock();
	mon_exit_thread((int)call->args[0]);
}

bool mon_process_call(struct mon_thread *m, struct mv_step *step, int64_t *result)
{
	bool ended = false;

	switch (step->call.nr) {
	case NR_EXECVE:
	case NR_EXECVEAT:
		*result = execute(m, &step->call);
		break;
	case NR_EXIT:
		end_thread(m, &step->call);
	case NR_EXIT_GROUP:
		mon_unlock();
		for (;;)
			mon_kernel(NR_EXIT_GROUP, step->call.args[0], 0, 0, 0, 0);
	default:
		*result = clone(m, step, &ended);
	}
	return ended;
}
