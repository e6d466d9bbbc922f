/*
 * The monitor's beginning in a process that has just executed a program, and what the supervisor knows of its image.
 */
#include "monitor/monitor.h"

#define NR_MSEAL 462

extern char mon_kernel_insn[], mon_gate_start[], mon_gate_end[], mon_gate_check[], mon_gate_insn[], mon_gate_after[];
extern char mon_gate_abort[], mon_gate_refuse[], mon_sigreturn_after[];
extern char mon_copy_bytes[], mon_copy_end[], mon_copy_fault[], mon_text[], mon_text_end[], mon_image_end[];
void mon_entry(void), mon_entry_closed(void);
void mon_look(void), mon_look_closed(void);
void mon_start(void), mon_start_closed(void);
void mon_send_closed(void), mon_filled_closed(void), mon_die(void), mon_keys_end(void);
void mon_begin(int64_t unmapped);

struct mon mon;
struct mon_boot mon_boot;
static struct mon_thread first;

__attribute__((section(".mon_info"), used)) const volatile struct mon_info mon_info = {
	.start = (uint64_t)mon_start,
	.entry = (uint64_t)mon_entry,
	.pseudo = (uint64_t)mon_pseudo,
	.look = (uint64_t)mon_look,
	.counter = (uint64_t)mon_counter,
	.async = (uint64_t)mon_async,
	.kernel = (uint64_t)mon_kernel_insn,
	.gate = (uint64_t)mon_gate_start,
	.gate_end = (uint64_t)mon_gate_end,
	.check = (uint64_t)mon_gate_check,
	.insn = (uint64_t)mon_gate_insn,
	.after = (uint64_t)mon_gate_after,
	.abort = (uint64_t)mon_gate_abort,
	.refuse = (uint64_t)mon_gate_refuse,
	.no_return = (uint64_t)mon_sigreturn_after,
	.returned = (uint64_t)mon_returned,
	.copy = (uint64_t)mon_copy,
	.copy_bytes = (uint64_t)mon_copy_bytes,
	.copy_end = (uint64_t)mon_copy_end,
	.copy_fault = (uint64_t)mon_copy_fault,
	.text = (uint64_t)mon_text,
	.text_end = (uint64_t)mon_text_end,
	.boot = (uint64_t)&mon_boot,
	.heads = (uint64_t)mon_heads,
	.start_closed = (uint64_t)mon_start_closed,
	.entry_closed = (uint64_t)mon_entry_closed,
	.look_closed = (uint64_t)mon_look_closed,
	.send_closed = (uint64_t)mon_send_closed,
	.filled_closed = (uint64_t)mon_filled_closed,
	.die = (uint64_t)mon_die,
	.keys_end = (uint64_t)mon_keys_end,
	.stack = (uint64_t)&first.frame,
};

static int export_fd(void *task, const struct mv_share *share, uint64_t *handle)
{
	long r = mon_service(MON_EXPORT, (uint64_t)share, 0);

	(void)task;
	if (r < 0)
		return (int)r;
	*handle = (uint64_t)r;
	return 0;
}

static int may_exec(void *task, const struct mv_call *call)
{
	(void)task;
	return (int)mon_service(MON_MAY_EXEC, (uint64_t)call, 0);
}

static uint64_t return_ip(void *task)
{
	const struct mon_thread *m = task;

	return m->frame.rip;
}

/* The supervisor is to know before the leader, whose call it holds up until then. */
static void claim(void *task, const struct mv_call *call)
{
	(void)task;
	mon_service(MON_CLAIM, (uint64_t)call, 0);
}

static uint32_t pidfd_process(void *task, int fd)
{
	long r = mon_service(MON_PIDFD, (uint64_t)fd, 0);

	(void)task;
	return r > 0 ? (uint32_t)r : 0;
}

static const struct mv_ops ops = {
	.peek = mon_peek, .poke = mon_poke, .alloc = mon_alloc, .free = mon_free, .export_fd = export_fd, .may_exec = may_exec,
	.return_ip = return_ip,
	.claim = claim, .pidfd_process = pidfd_process, .goes_on = true,
};

static void fill_process(struct mv_process *p, bool fds)
{
	struct mv_mm *mm = mv_process_mm(p);

	for (unsigned i = 0; i < mon_boot.nmappings; i++)
		if (mv_mm_add(mm, mon_boot.mappings[i].start, mon_boot.mappings[i].len, mon_boot.mappings[i].ordinal,
			      mon_boot.mappings[i].flags))
			mon_fail("out of memory for the engine");
	*mv_mm_brk(mm) = mon_boot.brk;
	for (int fd = 0; fds && fd < MON_FDS_MAX; fd++)
		if (mon_boot.fds[fd] && mv_process_fd(p, fd, mon_boot.fds[fd]))
			mon_fail("out of memory for the engine");
}

static void begin(struct mon_thread *m)
{
	struct mv_step step = { 0 };

	if (mon_boot.frozen) {
		m->thread = mv_thread_thaw(mon.run, (void *)mon_boot.frozen, mon_boot.frozen_size, &mon_boot.layout, &ops, m);
		if (!m->thread)
			mon_fail("out of memory for the engine at an exec");
		mv_thread_exec(m->thread, &step);
		mon_wake(m->thread);
		mon_finish(m, &step);
	} else {
		m->thread = mv_thread_root(mon.run, mon_boot.variant, mon_boot.tid, &ops, m);
		if (!m->thread)
			mon_stop();
		*mv_mm_layout(mv_process_mm(mv_thread_process(m->thread))) = mon_boot.layout;
	}
	fill_process(mv_thread_process(m->thread), !mon_boot.frozen);
}

void mon_over_area(long nr)
{
	uint64_t image = (uint64_t)mon_gate_start;

	mon_kernel(nr, image, (uint64_t)mon_image_end - image, 0, 0, 0);
	mon_kernel(nr, mon_boot.heap, mon_boot.arena - MON_GAP - mon_boot.heap, 0, 0, 0);
	mon_kernel(nr, mon_boot.arena, mon_boot.high - MON_GAP - mon_boot.arena, 0, 0, 0);
}

/* The supervisor has pointed %gs to the first thread.  From where the boot agent was, calls would not stop. */
void mon_begin(int64_t unmapped)
{
	struct mon_thread *m = &first;

	if (mon.run)
		mon_fail("the monitor is started again");
	mon.run = (struct mv_run *)mon_boot.run;
	if (unmapped)
		mon_fail("the boot agent's memory stays mapped");
	mon.spin_max = mon_boot.usable_cpus >= 2 ? MON_SPIN_MAX : 0;
	/* From kernel 6.10 on, what is mapped for us stays as it is until the next exec. */
	mon_over_area(NR_MSEAL);
	m->state = &mon_states[mon.nthreads++];
	mon_thread_init(m);
	mon.threads = m;
	mon_lock();
	begin(m);
	m->frame = (struct mon_frame){ .rip = mon_boot.entry, .rsp = mon_boot.sp, .flags = 0x202 };
	mon_signal_at_end(m);
	mon_unlock();
	mon_leave();
}
