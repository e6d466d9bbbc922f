/*
 * How far a thread is, as the engine here knows it: for those who look for threads that do not get on, and for a change of the leader.
 */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "engine/fds.h"
#include "pt.h"
#include "supervisor/procmaps.h"

bool pt_stands(struct pt_task *t)
{
	return t->thread && !t->emulated && (t->at == PT_AT_ENTRY || t->at == PT_AT_FAULT);
}

/* At an exit that the loop has not heard of the kernel's registers tell. */
bool pt_is_quiet(struct pt_task *t)
{
	bool undone = false;

	if (!t->thread || t->injected || t->importing || t->suspended || t->emulated || t->return_ip || t->inject_sig)
		return false;
	if (t->at == PT_RUNNING) {
		if (!pt_get_regs(t))
			return false;
		undone = PT_UNDONE(t->regs.orig_rax, (int64_t)t->regs.rax);
	}
	return mv_thread_is_quiet(t->thread, undone);
}

bool pt_rests(struct pt_task *t)
{
	return t->parked && !t->emulated && !pt_in_vsyscall(t) && !t->child_tid && mv_thread_rests(t->thread) &&
	       (t->at == PT_AT_ENTRY || (t->at == PT_AT_EVENT && mv_thread_begins(t->thread))) &&
	       mv_set_is_read(t->pt->run, mv_thread_set(t->thread), t->variant);
}

/* Calls were put into it: back to the entry of its own.  False if it is gone. */
static bool enter_again(struct pt_task *t)
{
	uint64_t message;
	int status;

	pt_roll_back(t);
	if (ptrace(PTRACE_CONT, t->tid, 0, 0))
		return false;
	do
		if (waitpid(t->tid, &status, __WALL) != t->tid || !WIFSTOPPED(status))
			return false;
	while (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) && !ptrace(PTRACE_CONT, t->tid, 0, 0));
	t->have_regs = t->have_own = t->replaced = false;
	return pt_get_call(t, &message);
}

bool pt_meets(struct pt_task *t, uint64_t seq)
{
	return t->thread && mv_thread_meets(t->thread, seq);
}

struct mv_files *pt_files(struct pt_task *t)
{
	return mv_process_files(mv_thread_process(t->thread));
}

/* Any of the vDSO's, which is ours. */
uint64_t pt_call_at(struct pt_task *t)
{
	struct mv_maps maps = { 0 };
	uint8_t code[8192];
	uint64_t found = 0;

	if (t->at == PT_AT_ENTRY && !pt_need_regs(t))
		return 0;
	mv_maps_read(t->process->tgid, &maps, NULL);
	for (unsigned i = 0; i < maps.n && !found; i++) {
		size_t n = strcmp(maps.maps[i].name, "[vdso]") ? 0 : pt_peek(t, maps.maps[i].start, code, sizeof(code));

		for (size_t at = 0; at + 1 < n && !found; at++)
			if (code[at] == 0x0f && code[at + 1] == 0x05)
				found = maps.maps[i].start + at;
	}
	mv_maps_free(&maps);
	return found;
}

void pt_again(struct pt_task *t)
{
	if (mv_thread_begins(t->thread))
		return;
	if (!pt_leads(t) || mv_thread_awaits(t->thread)) {
		t->parked = !pt_leads(t) || enter_again(t);
		return;
	}
	mv_thread_again(t->thread);
	if (t->at == PT_AT_ENTRY)
		pt_roll_back(t);
	pt_resume(t, PTRACE_CONT, 0);
}

bool pt_progress(struct pt_task *t, uint64_t *moves, bool *behind)
{
	if (!t->thread)
		return false;
	*moves = mv_thread_moves(t->thread);
	*behind = mv_thread_behind(t->thread);
	return true;
}

bool pt_standing(struct pt_task *t, struct mv_standing *out)
{
	if (!t->thread)
		return false;
	mv_thread_standing(t->thread, out);
	return true;
}

void pt_absent(struct pt_task *t, const char *text)
{
	mv_thread_absent(t->thread, text);
}
