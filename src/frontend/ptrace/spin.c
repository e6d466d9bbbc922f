/*
 * Threads that wait for others in loops without calls, such as while (!flag).  With turns (design.md section 11) such a thread
 * would wait for ever: it has the turn.
 *
 * A thread of the leader that has the turn, has made no call for a while and keeps others waiting is stopped, and executes
 * some instructions one by one.  If all its registers and the end of its stack come to be as they were, again and again, its loop has
 * changed nothing and never will, as long as no other thread runs: it lets them, by the pseudo call <spin>.  Its twins come into the same loop, and do the
 * same at the same place of it: it may take a lock and release it in each round, which others find as it has left it.  The place is
 * another each time, so many instructions behind the lowest, or it might have the lock whenever others can run.
 *
 * A loop that counts is not seen in this way.  A thread that is in the same few instructions after a long time, in two looks that
 * follow each other, is taken to be in one.  The second look is for the twins: they must be seen in the same instructions, and a place that
 * the leader passes once in a while they would pass at another time.  They are looked at again and again, without ever longer pauses.
 *
 * Who has been in a loop will be there again: threads that hand work over so do little else.  It is then looked at soon, and a few rounds
 * are enough, since every step of a look is a switch between two processes, and its twins, which spin too, take their CPUs.
 *
 * So there is a breakpoint where such a loop begins (trap.c).  Who comes by is looked at if others wait for the turn, or if its leader
 * has yielded there; if that is for nothing too often, the breakpoints are taken away until it has been seen to wait again.
 *
 * A thread that computes without a call for very long would make programs stand still that wait for it to be told to stop: it is
 * set free until its next call, and the order of what it does until then is nobody's.
 *
 * Code lies at the same offset in its pages in all variants, which tells the loop to the twins.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "engine/table.h"
#include "pt.h"

#define SUSPECT_MS 10		/* CPU time without a call until a thread is looked at; and then ever later */
#define AGAIN_MS 1		/* if it has been in such a loop before: of time, and that is all */
#define AGAIN_LONG_MS 8		/* after a long look for nothing */
#define AGAIN_TICKS 100		/* so often, until it is seldom again */
#define COUNTING_MS 300		/* CPU time until a thread that is in a small loop is taken to wait */
#define FREE_MS 3000		/* and until one that computes does so beside the others */
#define STEPS 200
#define STEPS_LONG 1000		/* of a loop that calls others: later, since they take a while */
#define LONG_MS 40		/* CPU time without a call */
#define REPEATS 4		/* of a state, in so many steps */
#define ROUNDS 3		/* of a loop that is known and counts */
#define SMALL 256		/* bytes of code */
#define NEAR 1024		/* bytes of the stack, */
#define RED_ZONE 128		/* so many of them below its end */
#define IDLE_HITS 64		/* of breakpoints, in a row */
#define FAILED 8		/* a look that has shown nothing is worth so many */

enum { SPIN_NOT, SPIN_SAME, SPIN_SMALL = MV_SPIN_COUNTS };
/* The operand of <spin>: the loop (one of those, and where its lowest instruction is in its page), and how far behind that it is made. */
#define SPIN(kind, at) ((unsigned)(kind) | (unsigned)((at) & 0xfff) << 4)
#define KIND(how) ((how) & 15)
#define LOOP(how) ((how) & 0xffff)
#define BEHIND(how) ((how) >> 16)
#define BEHIND_PRIME 61		/* places that follow each other are far apart */

/*
 * What a thread has in its hands.  Where it is in a function, its callers' registers are on the stack: those of a loop that takes and
 * releases a lock four hundred times change only there, as long as it is within the functions that do so.
 */
struct state {
	struct user_regs_struct regs;
	size_t len;
	uint8_t stack[NEAR];
};

static size_t read_stack(struct pt_task *t, uint8_t *stack)
{
	return pt_peek(t, t->regs.rsp - RED_ZONE, stack, NEAR);
}

static void remember(struct pt_task *t, struct state *s)
{
	s->regs = t->regs;
	s->len = read_stack(t, s->stack);
}

static bool same(struct pt_task *t, const struct state *s)
{
	uint8_t stack[NEAR];

	return !memcmp(&s->regs, &t->regs, sizeof(t->regs)) && read_stack(t, stack) == s->len && !memcmp(s->stack, stack, s->len);
}

/* Why it has stopped again: a code of SIGTRAP's, 0 if something else has come; the thread is then no more in our hands. */
static int go(struct pt_task *t)
{
	siginfo_t info;
	int status;
	pid_t tid;

	if (ptrace(PTRACE_SINGLESTEP, t->tid, 0, 0))
		return 0;
	t->at = PT_RUNNING;
	t->have_regs = false;
	do
		tid = waitpid(t->tid, &status, __WALL);
	while (tid < 0 && errno == EINTR);
	if (tid != t->tid)
		return 0;
	if (WIFSTOPPED(status) && status >> 8 == SIGTRAP && !ptrace(PTRACE_GETSIGINFO, tid, 0, &info) &&
	    (info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT || info.si_code == TRAP_HWBKPT))
		return info.si_code;
	pt_dispatch(t->pt, tid, status);
	return 0;
}

/* Execute the next instruction.  False if something else has come. */
static bool step(struct pt_task *t)
{
	int code = go(t);

	/* A breakpoint's comes before the instruction, once. */
	if (code == TRAP_HWBKPT)
		code = go(t);
	return code && pt_get_regs(t);
}

/* It came by a breakpoint: is it still in the loop that begins there, as far as that is known? */
static bool may_be_in(const struct pt_task *t, unsigned steps)
{
	const struct pt_trap *trap = t->spin.hit;

	return !trap || (t->regs.rip >= trap->at && steps <= trap->steps &&
			 (KIND(trap->how) == SPIN_SAME || t->regs.rip - trap->at < SMALL));
}

/*
 * It is as it was when it had executed the first instruction.  What else it may have changed, in memory, is not known: only some
 * repetitions, or one that takes as many instructions as those did, are believed.
 */
static bool repeats(struct pt_task *t, unsigned n, unsigned steps)
{
	if (n == 1)
		t->spin.steps = steps;
	return t->spin.hit ? t->spin.hit->steps == steps : n == REPEATS;
}

/* A leader's own loops, a follower's that its leader has yielded in. */
static bool is_known(const struct pt_task *t, unsigned how, unsigned wanted)
{
	return pt_leads(t) ? pt_trap_known(t, how) : how == wanted;
}

/* From any place of its loop to the lowest. */
static int come_to(struct pt_task *t, uint64_t low, unsigned how)
{
	for (int i = 0; t->regs.rip != low; i++) {
		if (i == STEPS_LONG)
			return SPIN_NOT;
		if (!step(t))
			return -1;
	}
	return (int)how;
}

/* The leader chooses how far it goes on from there. */
static unsigned choose(struct pt_task *t, unsigned how)
{
	if (KIND(how) != SPIN_SAME)
		return 0;
	t->spin.behind = (t->spin.behind + BEHIND_PRIME) % t->spin.steps;
	return t->spin.behind;
}

static bool go_on(struct pt_task *t, unsigned steps)
{
	while (steps-- > 0)
		if (!step(t))
			return false;
	return true;
}

/* What loop is it in, likely the known one?  SPIN_NOT: none; negative: it has gone its own way. */
static int look(struct pt_task *t, unsigned wanted, unsigned steps)
{
	struct state first;
	unsigned repeated = 0, rounds = 0;
	uint64_t low, high;

	if (!step(t))
		return -1;
	remember(t, &first);
	low = high = t->regs.rip;
	for (unsigned i = 1; i <= steps; i++) {
		if (!step(t))
			return -1;
		if (!t->pt->mode->in_program(t) || !may_be_in(t, i))
			return SPIN_NOT;
		low = t->regs.rip < low ? t->regs.rip : low;
		high = t->regs.rip > high ? t->regs.rip : high;
		t->spin.low = low;
		if (same(t, &first) && repeats(t, ++repeated, i))
			return come_to(t, low, SPIN(SPIN_SAME, low));
		if (t->regs.rip == low && high - low < SMALL && is_known(t, SPIN(SPIN_SMALL, low), wanted) && ++rounds == ROUNDS) {
			t->spin.steps = i;
			return (int)SPIN(SPIN_SMALL, low);
		}
	}
	return high - low < SMALL ? come_to(t, low, SPIN(SPIN_SMALL, low)) : SPIN_NOT;
}

/* Leader: is what was seen of it enough? */
static bool convinced(const struct pt_task *t, unsigned how, uint64_t used)
{
	return KIND(how) == SPIN_SAME || (KIND(how) == SPIN_SMALL && (pt_trap_known(t, how) || (used >= COUNTING_MS && how == t->spin.seen)));
}

/* Not of a loop that counts, which is small: a twin may have left it, and would get nowhere for all the looks. */
static bool longer(const struct pt_task *t, unsigned wanted, uint64_t used)
{
	return KIND(pt_leads(t) ? t->spin.how : wanted) == SPIN_SAME || (pt_leads(t) && used >= LONG_MS);
}

/* It goes on: when is it looked at again? */
static void look_later(struct pt_task *t, unsigned how, uint64_t used, bool was_long)
{
	if (!pt_leads(t))
		t->spin.limit = used + (was_long ? AGAIN_LONG_MS : AGAIN_MS);
	else if (KIND(how) == SPIN_SMALL && how != t->spin.seen && used >= COUNTING_MS)
		t->spin.limit = used + SUSPECT_MS;
	else if (!t->spin.limit)
		t->spin.limit = AGAIN_MS;
	else
		t->spin.limit = t->spin.limit < FREE_MS / 4 ? 2 * t->spin.limit : t->spin.limit + FREE_MS / 4;
	t->spin.seen = how;
}

/* It waits there: so it will the next time. */
static void spins(struct pt_task *t, unsigned how, unsigned behind)
{
	t->spin.since = 0;
	t->spin.how = how;
	t->spin.idle = 0;
	t->pt->spun = AGAIN_TICKS;
	if (!t->spin.hit)
		pt_trap_set(t, t->spin.low, how, KIND(how) == SPIN_SAME ? t->spin.steps : STEPS);
	else if (KIND(how) == SPIN_SMALL && 2 * t->spin.steps < STEPS)
		t->spin.hit->steps = 2 * t->spin.steps;
	if (go_on(t, behind))
		t->pt->mode->spin(t, how | behind << 16);
}

bool pt_spin_stop(struct pt_task *t)
{
	unsigned wanted = 0;
	uint64_t used;
	bool lengthy;
	int how;

	if (!t->spin.suspected)
		return false;
	t->spin.suspected = false;
	if (!t->pt->mode->in_program(t))
		return false;
	if (!pt_leads(t))
		wanted = mv_set_spins(t->pt->run, t->pt->mode->set(t), t->variant);
	if (!pt_leads(t) && !wanted)
		return false;
	lengthy = longer(t, wanted, pt_cpu_time(t->tid) - t->spin.cpu);
	how = look(t, LOOP(wanted), lengthy ? STEPS_LONG : STEPS);
	if (how < 0)
		return true;
	used = pt_cpu_time(t->tid) - t->spin.cpu;	/* that the look took itself is no time to get on in */
	if (pt_leads(t) ? !convinced(t, (unsigned)how, used) : (unsigned)how != LOOP(wanted)) {
		if (t->spin.hit) {
			t->spin.idle += FAILED;
			return false;
		}
		look_later(t, (unsigned)how, used, lengthy);
		if (!pt_leads(t) || used < FREE_MS)
			return false;
		t->pt->mode->set_free(t);
		return true;
	}
	spins(t, (unsigned)how, pt_leads(t) ? choose(t, (unsigned)how) : BEHIND(wanted));
	return true;
}

bool pt_spin_hit(struct pt_task *t)
{
	struct pt_trap *trap;
	uint64_t since;

	if (!pt_trap_hit(t, &trap))
		return false;
	t->spin.hit = NULL;
	t->spin.suspected = false;
	t->spin.since = 0;	/* the time that these stops take is none of its own */
	if (++t->spin.idle > IDLE_HITS) {
		pt_trap_disarm(t);
	} else if (trap && (pt_leads(t) ? mv_set_hogs(t->pt->run, t->pt->mode->set(t), &since) :
			    LOOP(mv_set_spins(t->pt->run, t->pt->mode->set(t), t->variant)) == trap->how)) {
		t->spin.suspected = true;
		t->spin.hit = trap;
	}
	t->pt->mode->on_stop(t, SIGTRAP);
	return true;
}

static void suspect(struct pt_task *t)
{
	t->spin.hit = NULL;
	t->spin.suspected = true;
	if (t->at != PT_RUNNING || t->interrupting)
		return;
	t->interrupting = true;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
}

/* When it has used CPU time at the same place, by what since says. */
static void suspect_later(struct pt_task *t, uint64_t since)
{
	uint64_t cpu = pt_cpu_time(t->tid);

	if (since != t->spin.since) {
		t->spin.since = since;
		t->spin.seen = SPIN_NOT;
		t->spin.cpu = cpu;
		t->spin.limit = t->spin.how ? 0 : SUSPECT_MS;
	} else if (cpu - t->spin.cpu >= t->spin.limit) {
		suspect(t);
	}
}

/* Does it keep others waiting, or has it to do what its leader did?  *since is where it is. */
static bool hogs(struct pt *pt, const struct pt_task *t, uint64_t *since)
{
	uint64_t set = t->started ? pt->mode->set(t) : 0, head;

	if (!set)
		return false;
	if (pt_leads(t))
		return mv_set_hogs(pt->run, set, since);
	return mv_set_spins(pt->run, set, t->variant) && mv_set_progress(pt->run, set, t->variant, &head, since);
}

unsigned pt_spin_tick(struct pt *pt)
{
	unsigned ms = pt->spun ? AGAIN_MS : 0;

	pt->spun -= !!pt->spun;
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		uint64_t since;

		if (!hogs(pt, t, &since))
			continue;
		suspect_later(t, since);
		if (!ms || t->spin.how)
			ms = t->spin.how ? AGAIN_MS : PT_HOLD_MS;
	}
	return ms;
}
