/*
 * Verdicts: why a run is over, and, where the front-end may do without a follower (mv_config.spare), why a follower stops.
 */
#include "internal.h"

static uint32_t bit(unsigned variant)
{
	return 1u << variant;
}

/* ---- the end of a run ---- */

bool mv_over(const struct mv_run *run)
{
	return __atomic_load_n(&run->over, __ATOMIC_ACQUIRE);
}

bool mv_stopped(const struct mv_thread *t)
{
	if (mv_over(t->run))
		return true;
	if (!(mv_run_accused(t->run) & bit(t->variant)))
		return false;
	return !mv_run_reads_on(t->run, t->variant, mv_thread_set(t));
}

struct mv_verdict *mv_verdict_begin(struct mv_run *run)
{
	return __atomic_exchange_n(&run->verdict_lock, 1, __ATOMIC_ACQ_REL) ? NULL : &run->verdict;
}

void mv_verdict_end(struct mv_run *run)
{
	__atomic_store_n(&run->over, 1, __ATOMIC_RELEASE);
}

const struct mv_verdict *mv_run_verdict(const struct mv_run *run)
{
	static const struct mv_verdict none;

	return mv_over(run) ? &run->verdict : &none;
}

void mv_text(char *to, size_t size, const char *const *parts)
{
	size_t n = 0;

	for (; *parts; parts++)
		for (const char *p = *parts; *p && n + 1 < size; p++)
			to[n++] = *p;
	to[n] = 0;
}

void mv_run_fail(struct mv_run *run, enum mv_verdict_kind kind, const char *text)
{
	struct mv_verdict *v = mv_verdict_begin(run);

	if (!v)
		return;
	v->kind = kind;
	mv_text(v->text, sizeof(v->text), (const char *const[]){ text, NULL });
	mv_verdict_end(run);
}

/* ---- divergences ---- */

struct mv_verdict *mv_divergence_begin(struct mv_run *run, unsigned variant, const struct mv_set *set)
{
	struct mv_accusation *a = &run->accusations[variant];
	struct mv_verdict *v;

	if (mv_leads(run, variant) || !run->config.spare) {
		v = mv_verdict_begin(run);
	} else if (__atomic_exchange_n(&a->lock, 1, __ATOMIC_ACQ_REL)) {
		v = NULL;
	} else {
		v = &a->verdict;
		a->set = set ? mv_arena_offset(run_arena(run), set) : 0;
	}
	if (!v)
		return NULL;
	v->kind = MV_VERDICT_DIVERGENCE;
	v->variant = variant;
	v->set = set ? set->tid : 0;
	return v;
}

void mv_divergence_end(struct mv_run *run, const struct mv_verdict *v)
{
	if (v == &run->verdict)
		mv_verdict_end(run);
	else
		__atomic_fetch_or(&run->accused, bit(v->variant), __ATOMIC_RELEASE);
}

void mv_run_breach(struct mv_run *run, unsigned variant, const char *text)
{
	struct mv_verdict *v = mv_divergence_begin(run, variant, NULL);

	if (!v)
		return;
	v->difference = MV_DIFF_BREACH;
	mv_text(v->text, sizeof(v->text), (const char *const[]){ text, NULL });
	mv_divergence_end(run, v);
}

/* ---- followers that can be spared ---- */

uint32_t mv_run_accused(const struct mv_run *run)
{
	return __atomic_load_n(&run->accused, __ATOMIC_ACQUIRE);
}

const struct mv_verdict *mv_run_accusation(const struct mv_run *run, unsigned variant)
{
	static const struct mv_verdict none;

	return mv_run_accused(run) & bit(variant) ? &run->accusations[variant].verdict : &none;
}

bool mv_run_passed(const struct mv_run *run, unsigned accused, unsigned other)
{
	const struct mv_accusation *a = &run->accusations[accused];
	const struct mv_set *s = a->set ? mv_set_at(run, a->set) : NULL;
	uint64_t tail = s ? mv_stream_tail((const struct mv_stream *)(s + 1), mv_consumer(other)) : 0;

	return !tail || tail > a->verdict.seq;
}

void mv_run_release(struct mv_run *run, unsigned variant)
{
	__atomic_fetch_or(&run->released, bit(variant), __ATOMIC_SEQ_CST);
}

bool mv_released(const struct mv_run *run, unsigned variant)
{
	return __atomic_load_n(&run->released, __ATOMIC_SEQ_CST) & bit(variant);
}

void mv_run_convict(struct mv_run *run, unsigned variant)
{
	struct mv_verdict *v = mv_verdict_begin(run);

	if (!v)
		return;
	*v = run->accusations[variant].verdict;
	mv_verdict_end(run);
}
