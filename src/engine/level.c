/*
 * What a policy says about a call: alone from the call's row, its descriptor's kind and its operands.
 */
#include "table.h"

#define NR_SHMAT 30
#define NR_EXECVE 59
#define PROT_EXEC_ 4u
#define SHM_EXEC_ 0x8000u

uint32_t mv_exec_bit(uint32_t nr)
{
	return nr == NR_SHMAT ? SHM_EXEC_ : PROT_EXEC_;
}

/*
 * The table's groups are a row's.  Making memory executable and acting on another process or thread are an operand's doing,
 * and belong to group exec all the same.
 */
static bool is_exec_by_operand(const struct mv_desc *d, const struct mv_call *call)
{
	return (d->flags & MV_DESC_PROT && call->args[2] & mv_exec_bit(call->nr)) || (d->flags & MV_DESC_PID && (uint32_t)call->args[0]);
}

enum mv_level mv_call_level(const struct mv_policy *p, const struct mv_desc *d, const struct mv_call *call, unsigned kind)
{
	enum mv_level level = p->level[call->nr][kind];

	/*
	 * Who has looked early may have gone on to a lock that is the leader's until it has gone on, too.  And what is in the stream for the
	 * order of threads alone (futex) one may make while the other is in a loop that waits, which the leader's next record tells.
	 */
	if (level == MV_LEVEL_LOCKSTEP && (d->flags & MV_DESC_EARLY || d->cls == MV_CLASS_LOCAL))
		return MV_LEVEL_RELAXED;
	return level == MV_LEVEL_RELAXED && is_exec_by_operand(d, call) ? p->level[NR_EXECVE][0] : level;
}

bool mv_call_is_sensitive(const struct mv_policy *p, const struct mv_call *call)
{
	const struct mv_desc *d = call->nr < MV_TABLE_SIZE ? mv_lookup(call) : NULL;
	unsigned kinds;

	/* Of those that the kernel never gets no variant can make one alone. */
	if (!d || d->cls == MV_CLASS_DENY || d->cls == MV_CLASS_EMUL)
		return false;
	if (!(d->groups & (MV_GROUP_EXEC | MV_GROUP_PRIVILEGE) || is_exec_by_operand(d, call)))
		return false;
	kinds = d->fd_arg < MV_NARGS ? MV_POLICY_FDKINDS : 1;
	for (unsigned kind = 0; kind < kinds; kind++)
		if (mv_call_level(p, d, call, kind) != MV_LEVEL_LOCKSTEP)
			return false;
	return true;
}
