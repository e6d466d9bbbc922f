/*
 * Expected differences: calls that one build of the program makes and the other does not, as the rules of a variant have it
 * (multivar/rules.h).
 *
 * Rules name only calls whose effects stay inside of the variant that makes them (rows flagged "contained"), and never code:
 * everything else is compared as ever.  A follower makes such a call alone, for itself: its mappings get ordinals that no
 * other variant has and lie where nothing is placed that must lie alike, its descriptors get high numbers.  What only the
 * leader makes is passed over.
 *
 * A follower that writes its report, as sanitizers do before they end a program, does not come back to the stream: what it
 * says is kept until it makes a call that no rule allows, and is the divergence.
 */
#include "internal.h"

#define NR_READ 0
#define NR_WRITE 1
#define NR_OPEN 2
#define NR_CLOSE 3
#define NR_FSTAT 5
#define NR_LSEEK 8
#define NR_MMAP 9
#define NR_MPROTECT 10
#define NR_PREAD64 17
#define NR_FCNTL 72
#define NR_READLINK 89
#define NR_OPENAT 257
#define NR_NEWFSTATAT 262
#define NR_READLINKAT 267
#define NR_PRLIMIT64 302
#define F_GETFD_ 1
#define F_GETFL_ 3
#define F_DUPFD_CLOEXEC_ 1030
#define LOCAL_FDS 512		/* descriptors of one variant are numbered from here, if the program's limit allows it */
#define O_HARMLESS (02000000u | 0100000u | 0400u | 0200000u)	/* O_CLOEXEC, O_LARGEFILE, O_NOCTTY, O_DIRECTORY */
#define MAP_SHARED_ 1u
#define MAP_ANONYMOUS_ 0x20u
#define REPORT_CALLS 65536	/* of a variant that writes its report; more are no report */

static bool opens(const struct mv_call *c)
{
	return c->nr == NR_OPEN || c->nr == NR_OPENAT;
}

/* ---- which calls may be made alone ---- */

static bool is_local_fd(const struct mv_thread *t, uint64_t fd)
{
	for (unsigned i = 0; i < MV_LOCAL_FDS; i++)
		if (t->process->local_fds[i] && t->process->local_fds[i] == (uint32_t)fd)
			return true;
	return false;
}

static bool memory_is_own(const struct mv_thread *t)
{
	uint64_t flags = t->call.args[3];

	return flags & MAP_ANONYMOUS_ ? true : !(flags & MAP_SHARED_) && is_local_fd(t, t->call.args[4]);
}

/* Does the call as it is made concern the variant only? */
static bool contained(const struct mv_thread *t)
{
	const struct mv_call *c = &t->call;
	uint64_t flags;

	if (!(t->desc->flags & MV_DESC_CONTAINED) || t->cls == MV_CLASS_DENY || mv_call_is_sensitive(&t->run->policy, c))
		return false;
	/* By every policy: code is compared. */
	if (t->desc->flags & MV_DESC_PROT && c->args[2] & mv_exec_bit(c->nr))
		return false;
	if (opens(c)) {
		flags = c->args[c->nr == NR_OPEN ? 1 : 2];
		return !((uint32_t)flags & ~O_HARMLESS);
	}
	if (c->nr == NR_PRLIMIT64)
		return !c->args[0];
	return c->nr != NR_MMAP || memory_is_own(t);
}

/* The same of a call that the leader has made; its operands are known as they were compared. */
static bool contained_record(const struct mv_thread *t, const struct mv_record *rec, const struct mv_desc **d)
{
	struct mv_call call = { .nr = rec->nr };

	__builtin_memcpy(call.args, mv_record_args(rec), sizeof(call.args));
	*d = mv_lookup(&call);
	if (!*d || !((*d)->flags & MV_DESC_CONTAINED) || mv_call_is_sensitive(&t->run->policy, &call))
		return false;
	if ((*d)->flags & MV_DESC_PROT && call.args[2] & mv_exec_bit(call.nr))
		return false;
	/* A follower without it would have other numbers, and other contents in mappings of files. */
	return (*d)->ret != MV_RET_FD && (rec->nr != NR_PRLIMIT64 || !call.args[0]) && (rec->nr != NR_MMAP || call.args[3] & MAP_ANONYMOUS_);
}

/* ---- rules ---- */

static bool same_path(struct mv_thread *t, const char *path)
{
	bool second = t->call.nr == NR_OPENAT || t->call.nr == NR_NEWFSTATAT || t->call.nr == NR_READLINKAT;
	char have[MV_RULE_PATH + 1];
	unsigned i = 0;

	if (mv_peek_str(t, t->call.args[second], have, sizeof(have)) < 0)
		return false;
	while (path[i] && path[i] == have[i])
		i++;
	return path[i] == have[i];
}

/* Counts the use of the rule, too; false where it has been used up. */
static bool use(struct mv_rule *r)
{
	uint32_t used = __atomic_add_fetch(&r->used, 1, __ATOMIC_RELAXED);

	if (!r->limit || used <= r->limit)
		return true;
	__atomic_store_n(&r->used, r->limit, __ATOMIC_RELAXED);
	return false;
}

static bool allowed(struct mv_thread *t, enum mv_rule_who who, uint32_t nr)
{
	struct mv_rules *rules = &t->run->rules[t->variant];

	for (unsigned i = 0; i < rules->count && i < MV_RULES_MAX; i++) {
		struct mv_rule *r = &rules->rule[i];

		if (r->who == who && r->nr == nr && (!r->path[0] || same_path(t, r->path)) && use(r))
			return true;
	}
	return false;
}

static struct mv_rule *report_rule(struct mv_thread *t)
{
	struct mv_rules *rules = &t->run->rules[t->variant];

	for (unsigned i = 0; t->call.nr == NR_WRITE && i < rules->count && i < MV_RULES_MAX; i++)
		if (rules->rule[i].who == MV_RULE_REPORT && rules->rule[i].fd == (int32_t)t->call.args[0])
			return &rules->rule[i];
	return NULL;
}

/* ---- settings of the environment ---- */

bool mv_is_own_setting(const struct mv_run *run, const char *entry)
{
	for (unsigned i = 0; i < MV_OWN_ENV && run->own_env[i][0]; i++) {
		const char *name = run->own_env[i];
		unsigned n = 0;

		while (name[n] && name[n] == entry[n])
			n++;
		if (!name[n] && entry[n] == '=')
			return true;
	}
	return false;
}

void mv_run_own_setting(struct mv_run *run, const char *setting)
{
	for (unsigned i = 0; i < MV_OWN_ENV; i++)
		if (!run->own_env[i][0]) {
			for (unsigned n = 0; n + 1 < MV_OWN_ENV_NAME && setting[n] && setting[n] != '='; n++)
				run->own_env[i][n] = setting[n];
			return;
		}
}

/* ---- a follower's report ---- */

static bool take_report(struct mv_thread *t)
{
	struct mv_report_text *to = &t->run->report;
	struct mv_rule *r = report_rule(t);
	uint32_t nobody = 0;
	uint64_t n = t->call.args[2];

	if (!r || (!__atomic_compare_exchange_n(&to->owner, &nobody, t->set->tid, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
		   (nobody != t->set->tid || to->variant != t->variant)))
		return false;
	to->variant = t->variant;
	t->reporting = true;
	use(r);
	if (n > sizeof(to->text) - to->len)
		n = sizeof(to->text) - to->len;
	to->len += (uint32_t)mv_peek(t, t->call.args[1], to->text + to->len, n);
	t->own = (int64_t)t->call.args[2];
	return true;
}

static void conclude_report(struct mv_thread *t)
{
	struct mv_verdict *v = mv_verdict_begin(t->run);
	struct mv_report_text *from = &t->run->report;
	char line[sizeof(v->text)];
	size_t n = 0;
	bool word = false;

	if (!v)
		return;
	/* The first line that says something: not a ruler. */
	for (uint32_t i = 0; i < from->len && !(word && from->text[i] == '\n'); i++) {
		char c = from->text[i];

		if (c == '\n') {
			n = 0;
			continue;
		}
		word |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (n + 1 < sizeof(line))
			line[n++] = c;
	}
	line[n] = 0;
	v->kind = MV_VERDICT_DIVERGENCE;
	v->difference = MV_DIFF_REPORT;
	v->variant = t->variant;
	v->set = t->set->tid;
	v->leader_call = v->variant_call = t->call;
	mv_text(v->text, sizeof(v->text), (const char *const[]){ line, NULL });
	mv_verdict_end(t->run);
}

const char *mv_run_report(const struct mv_run *run, size_t *len)
{
	*len = run->report.len < sizeof(run->report.text) ? run->report.len : sizeof(run->report.text);
	return run->report.text;
}

const struct mv_rules *mv_run_rules(const struct mv_run *run, unsigned variant)
{
	return &run->rules[variant];
}

/* ---- what a difference is ---- */

static bool alike(const struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	uint64_t n = t->blob->total < MV_INLINE_MAX ? t->blob->total : MV_INLINE_MAX;

	if (rec->nr != t->call.nr || rec->input_len != t->blob->total || rec->faults != t->blob->faults || rec->payload_len < n)
		return false;
	for (unsigned i = 0; i < t->desc->nin; i++)
		if (mv_record_args(rec)[t->desc->in[i].arg] != t->norm[t->desc->in[i].arg])
			return false;
	return !__builtin_memcmp(payload, t->blob->bytes, n);
}

/*
 * Both change the protection of the same mapping to the same, but of another part of it: the one call, as each build needs it.
 * Taken for two, the leader's would still be to come, and the calls after it would be compared with it.
 */
static bool same_change(const struct mv_thread *t, const struct mv_record *rec)
{
	const uint64_t *args = mv_record_args(rec);

	return t->call.nr == NR_MPROTECT && rec->nr == NR_MPROTECT && args[2] == t->norm[2] &&
	       mv_norm_ordinal(t->norm[0]) && mv_norm_ordinal(args[0]) == mv_norm_ordinal(t->norm[0]);
}

/*
 * This variant's own go first: what it makes in excess it makes now, while what the leader makes it may yet come to.
 */
enum mv_expect mv_expected(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	const struct mv_desc *d;
	enum mv_expect look = mv_look(t, rec, payload);

	if (look != MV_EXPECT_NOTHING)
		return look;
	if (!t->run->rules[t->variant].count || alike(t, rec, payload))
		return MV_EXPECT_NOTHING;
	if (contained(t) && allowed(t, MV_RULE_FOLLOWER, t->call.nr)) {
		if (same_change(t, rec) && contained_record(t, rec, &d) && allowed(t, MV_RULE_LEADER, rec->nr))
			return MV_EXPECT_BOTH;
		return MV_EXPECT_MINE;
	}
	if (take_report(t))
		return MV_EXPECT_REPORT;
	if (contained_record(t, rec, &d) && allowed(t, MV_RULE_LEADER, rec->nr))
		return MV_EXPECT_LEADERS;
	return MV_EXPECT_NOTHING;
}

/* What is done with descriptors that only this variant has is nobody else's, nor what it does once it has begun to report. */
bool mv_goes_alone(struct mv_thread *t, struct mv_step *step)
{
	static const uint16_t on_local[] = { NR_READ, NR_CLOSE, NR_FSTAT, NR_LSEEK, NR_PREAD64, NR_NEWFSTATAT, NR_FCNTL };

	if (t->cls == MV_CLASS_OWN) {
		mv_alone(t, step);
		return true;
	}
	if (t->leads || !(t->process->nlocal || t->run->rules[t->variant].count))
		return false;
	for (unsigned i = 0; i < sizeof(on_local) / sizeof(*on_local); i++)
		if (t->call.nr == on_local[i] && is_local_fd(t, t->call.args[0]) &&
		    (t->call.nr != NR_FCNTL || (t->call.args[1] >= F_GETFD_ && t->call.args[1] <= F_GETFL_))) {
			mv_alone(t, step);
			return true;
		}
	if (t->reporting && t->cls != MV_CLASS_LOCAL) {
		if (take_report(t)) {
			t->state = MV_ST_IDLE;
			step->action = MV_DONE;
			step->result = t->own;
			return true;
		}
		if (!contained(t) || t->reported++ == REPORT_CALLS) {
			conclude_report(t);
			step->action = MV_STOP;
			return true;
		}
		mv_alone(t, step);
		return true;
	}
	return false;
}

/* ---- making a call alone ---- */

/* The number is one that the leader's program may get later: out of its way. */
static bool open_alone(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	switch (t->step) {
	case 0:
		return mv_ask_own(t, step);
	case 1:
		t->own = last;
		if (is_error(last))
			return false;
		t->aux[2] = (uint64_t)last;
		return mv_ask(step, NR_FCNTL, (uint64_t)last, F_DUPFD_CLOEXEC_, LOCAL_FDS);
	case 2:
		t->own = last;
		return mv_ask(step, NR_CLOSE, t->aux[2], 0, 0);
	default:
		if (is_error(t->own))
			t->own = ERR(EMFILE);
		return false;
	}
}

static bool act(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (opens(&t->call))
		return open_alone(t, last, step);
	if (mv_hook_of(t)->lead)
		return mv_hook_of(t)->lead(t, last, step);
	if (!t->step)
		return mv_ask_own(t, step);
	t->own = last;
	return false;
}

static void over(struct mv_thread *t, struct mv_step *step)
{
	uint32_t *slot = NULL;

	t->result = t->own;
	for (unsigned i = 0; i < MV_LOCAL_FDS; i++) {
		uint32_t *fd = &t->process->local_fds[i];

		if (opens(&t->call) ? !*fd : t->call.nr == NR_CLOSE && *fd == (uint32_t)t->call.args[0])
			slot = fd;
	}
	if (opens(&t->call) && !is_error(t->own) && slot) {
		*slot = (uint32_t)t->own;
		t->process->nlocal++;
	} else if (t->call.nr == NR_CLOSE && slot) {
		*slot = 0;
		t->process->nlocal--;
	} else if (!opens(&t->call) && mv_hook_of(t)->done)
		mv_hook_of(t)->done(t);
	t->alone = false;
	t->state = MV_ST_IDLE;
	step->action = MV_DONE;
	step->result = t->own;
}

void mv_alone(struct mv_thread *t, struct mv_step *step)
{
	t->state = MV_ST_ALONE;
	t->alone = true;
	t->step = 0;
	__builtin_memset(t->aux, 0, sizeof(t->aux));
	if (!act(t, 0, step))
		over(t, step);
}

void mv_alone_ran(struct mv_thread *t, int64_t result, struct mv_step *step)
{
	if (!act(t, result, step))
		over(t, step);
}
