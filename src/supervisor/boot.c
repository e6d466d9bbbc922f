/*
 * Planning how a program moves: boot_find.c says what there is, boot_place.c where it goes; boot_stack.c and boot_vdso.c do the
 * contents of stack and vDSO.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "engine/mm.h"
#include "supervisor/boot_internal.h"

#define USER_CS_64 0x33

/* ---- the operations ---- */

int mv_boot_add_op(struct mv_boot_plan *plan, struct mv_boot_op op, struct mv_error *err)
{
	if (plan->nops == MV_BOOT_OPS_MAX)
		return mv_error_set(err, E2BIG, "boot: %s has more than %d mappings", plan->program, MV_BOOT_OPS_MAX);
	plan->ops[plan->nops++] = op;
	return 0;
}

static int add_op(struct boot *b, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	return mv_boot_add_op(b->plan, (struct mv_boot_op){ nr, { a0, a1, a2, a3, a4, 0 }, 0 }, b->err);
}

static int add_mapping(struct boot *b, uint64_t start, uint64_t len, uint32_t ordinal, uint32_t flags)
{
	if (b->plan->nmappings == MV_BOOT_OPS_MAX)
		return mv_error_set(b->err, E2BIG, "boot: %s has more than %d mappings", b->plan->program, MV_BOOT_OPS_MAX);
	b->plan->mappings[b->plan->nmappings++] = (struct mv_boot_mapping){ start, len, ordinal, flags };
	return 0;
}

static int is_prefix(const char *prefix, const char *s)
{
	return strncmp(prefix, s, strlen(prefix)) == 0;
}

/* The data of the kernel's vDSO, and a heap that the kernel has begun, which the engine emulates. */
static bool is_dropped(const struct boot *b, const struct mv_map *m)
{
	if (is_prefix("[vvar", m->name) || (!strcmp(m->name, "[vdso]") && !boot_part_has(&b->vdso, m->start)))
		return true;
	return !strcmp(m->name, "[heap]") && m->start >= b->program.end;
}

static int drop_mappings(struct boot *b)
{
	int r = 0;

	for (unsigned i = 0, j; i < b->maps.n && !r; i = j) {
		const struct mv_map *m = &b->maps.maps[i];

		j = i + 1;
		if (!is_dropped(b, m))
			continue;
		while (j < b->maps.n && b->maps.maps[j].start == b->maps.maps[j - 1].end && is_dropped(b, &b->maps.maps[j]))
			j++;
		r = add_op(b, SYS_munmap, m->start, b->maps.maps[j - 1].end - m->start, 0, 0, 0);
	}
	return r;
}

static int add_moves(struct boot *b, const struct boot_part *part)
{
	int r = 0;

	if (!part->delta)
		return 0;
	for (unsigned i = 0; i < b->maps.n && !r; i++) {
		uint64_t start = b->maps.maps[i].start, end = b->maps.maps[i].end;

		/* A hole between the segments of a static PIE may be where the kernel put the vDSO. */
		if (is_dropped(b, &b->maps.maps[i]) || (part != &b->vdso && boot_part_has(&b->vdso, start)))
			continue;
		if (start < part->start)
			start = part->start;
		end = boot_min(end, part->end);
		if (start < end)
			r = add_op(b, SYS_mremap, start, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED,
				   start + part->delta);
	}
	return r;
}

static int list_mappings(struct boot *b)
{
	const struct boot_part *parts[] = { &b->program, &b->interp, &b->stack, &b->vdso };
	int r = 0;

	for (unsigned i = 0; i < 4 && !r; i++) {
		uint64_t end = parts[i]->end + parts[i]->delta, len = parts[i]->end - parts[i]->start;

		if (parts[i] == &b->stack)
			len = b->stack_room;
		if (len)
			r = add_mapping(b, end - len, len, parts[i]->ordinal, parts[i]->flags);
	}
	for (unsigned i = 0; i < b->maps.n && !r; i++) {
		const struct mv_map *m = &b->maps.maps[i];
		bool ours = false;

		for (unsigned j = 0; j < 4; j++)
			ours |= m->start < parts[j]->end && parts[j]->start < m->end;
		if (!ours && !is_dropped(b, m))
			r = add_mapping(b, m->start, m->end - m->start, MV_MAP_OTHER, MV_MM_FIXED_PLACE);
	}
	return r;
}

/* Not the program's: it may copy code of its own before its first call, which must be as in the file then. */
static void list_texts(struct boot *b)
{
	for (unsigned i = 0; i < b->maps.n && b->plan->ntexts < MV_BOOT_TEXTS_MAX; i++) {
		const struct mv_map *m = &b->maps.maps[i];

		if (!strcmp(m->perms, "r-xp") && m->name[0] == '/' && boot_part_has(&b->interp, m->start))
			b->plan->texts[b->plan->ntexts++] = (struct mv_boot_text){
				.start = m->start + b->interp.delta, .len = m->end - m->start, .offset = m->offset,
				.old = m->start, .name = m->name,
			};
	}
}

/* What the kernel tells in /proc/PID/stat about the parts of a program, by field number of proc(5). */
enum { STAT_CODE = 26, STAT_CODE_END, STAT_DATA = 45, STAT_DATA_END, STAT_BRK, STAT_ARG, STAT_ARG_END, STAT_ENV,
       STAT_ENV_END, STAT_FIELDS };

static int read_stat(struct boot *b, uint64_t stat[STAT_FIELDS])
{
	char *text, *p;
	size_t len;
	int r = mv_proc_slurp(b->pid, "stat", &text, &len, b->err), field;

	if (r)
		return r;
	memset(stat, 0, STAT_FIELDS * sizeof(stat[0]));
	p = strrchr(text, ')');		/* the name before may hold anything */
	for (field = 3; p && field < STAT_FIELDS && (p = strchr(p, ' ')); field++)
		stat[field] = strtoull(++p, NULL, 10);
	free(text);
	if (field < STAT_FIELDS)
		return mv_error_set(b->err, EIO, "boot: /proc/%d/stat ends at field %d", (int)b->pid, field);
	return 0;
}

static void fill_mm_map(const struct boot *b, const uint64_t stat[STAT_FIELDS], struct prctl_mm_map *map)
{
	*map = (struct prctl_mm_map){
		.start_code = stat[STAT_CODE] + b->program.delta,
		.end_code = stat[STAT_CODE_END] + b->program.delta,
		.start_data = stat[STAT_DATA] + b->program.delta,
		.end_data = stat[STAT_DATA_END] + b->program.delta,
		.start_brk = b->plan->brk_start,
		.brk = b->plan->brk_start,
		.start_stack = b->plan->sp,
		.arg_start = stat[STAT_ARG] + b->stack.delta,
		.arg_end = stat[STAT_ARG_END] + b->stack.delta,
		.env_start = stat[STAT_ENV] + b->stack.delta,
		.env_end = stat[STAT_ENV_END] + b->stack.delta,
		.exe_fd = (uint32_t)-1,
	};
}

/*
 * The agent in memory: image, count, operations, struct prctl_mm_map, auxiliary vector.  Two operations come last whose
 * operands depend on where that is.  Without CONFIG_CHECKPOINT_RESTORE the kernel refuses to be told of the moves; then
 * /proc shows the old places, which harms no program.
 */
static int build_agent(struct boot *b, const uint64_t stat[STAT_FIELDS])
{
	struct mv_boot_plan *plan = b->plan;
	uint64_t count = plan->nops + 2;
	size_t map_at = mv_agent_ops_offset + sizeof(count) + count * sizeof(plan->ops[0]);
	size_t auxv_at = map_at + sizeof(struct prctl_mm_map), auxv_len = (b->auxv.n + 1) * sizeof(b->auxv.v[0]);
	struct prctl_mm_map map;
	int r;

	plan->agent_len = boot_page_up(auxv_at + auxv_len);
	plan->agent_bytes = calloc(1, plan->agent_len);
	if (!plan->agent_bytes)
		return mv_error_set(b->err, ENOMEM, "boot: the agent's %zu bytes", plan->agent_len);
	r = boot_place_agent(b);
	if (!r)
		r = add_op(b, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, plan->agent + map_at, sizeof(map), 0);
	if (!r) {
		plan->ops[plan->nops - 1].flags = MV_BOOT_MAY_FAIL;
		r = add_op(b, SYS_munmap, plan->agent, plan->agent_len, 0, 0, 0);
	}
	if (!r && plan->extra) {
		plan->ops[plan->nops - 1].flags = MV_BOOT_ELSEWHERE;
		plan->ops[plan->nops - 1].args[5] = plan->extra->last_insn;
	}
	if (r)
		return r;
	fill_mm_map(b, stat, &map);
	map.auxv = (void *)(uintptr_t)(plan->agent + auxv_at);
	map.auxv_size = (uint32_t)auxv_len;
	memcpy(plan->agent_bytes, mv_agent_image, mv_agent_image_size);
	memcpy(plan->agent_bytes + mv_agent_ops_offset, &count, sizeof(count));
	memcpy(plan->agent_bytes + mv_agent_ops_offset + sizeof(count), plan->ops, count * sizeof(plan->ops[0]));
	memcpy(plan->agent_bytes + map_at, &map, sizeof(map));
	memcpy(plan->agent_bytes + auxv_at, b->auxv.v, b->auxv.n * sizeof(b->auxv.v[0]));
	return 0;
}

/* ---- a syscall instruction ---- */

static int find_in_mapping(pid_t pid, const struct mv_map *m, uint64_t *address)
{
	uint8_t buf[16384];
	uint64_t at = m->start;

	while (at + 2 <= m->end) {
		size_t len = boot_min(sizeof(buf), m->end - at);

		if (mv_proc_peek(pid, at, buf, len, NULL))
			return -EFAULT;
		for (size_t i = 0; i + 1 < len; i++)
			if (buf[i] == 0x0f && buf[i + 1] == 0x05) {
				*address = at + i;
				return 0;
			}
		at += len - 1;		/* it may straddle */
	}
	return -ENOENT;
}

static int find_syscall(pid_t pid, const struct mv_maps *maps, uint64_t *address, struct mv_error *err)
{
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < maps->n; i++) {
			const struct mv_map *m = &maps->maps[i];
			bool wanted = pass == 0 ? !strcmp(m->name, "[vdso]") : m->name[0] == '/';

			if (wanted && m->perms[2] == 'x' && find_in_mapping(pid, m, address) == 0)
				return 0;
		}
	return mv_error_set(err, ENOENT, "boot: process %d has no syscall instruction", (int)pid);
}

/* ---- all of it ---- */

static void read_program_name(struct boot *b)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)b->pid);
	n = readlink(link, b->plan->program, sizeof(b->plan->program) - 1);
	if (n <= 0)
		n = snprintf(b->plan->program, sizeof(b->plan->program), "process %d", (int)b->pid);
	b->plan->program[n] = 0;
}

static bool sees(const struct boot *b, const char *libraries)
{
	for (const char *path = libraries; *path; path += *path == ':') {
		int len = (int)strcspn(path, ":");
		char full[4096];

		snprintf(full, sizeof(full), "/proc/%d/root%.*s", (int)b->pid, len, path);
		if (access(full, R_OK))
			return false;
		path += len;
	}
	return true;
}

/* Only glibc's ld.so looks at LD_PRELOAD as we mean it, not for set-user-id programs; nor if it cannot open the files. */
static void plan_preload(struct boot *b)
{
	const struct mv_map *interp = b->interp.end ? mv_maps_find(&b->maps, b->interp.start) : NULL;
	const char *slash = interp ? strrchr(interp->name, '/') : NULL;

	if (!b->preload)
		return;
	b->plan->preloaded = slash && !strcmp(slash, "/ld-linux-x86-64.so.2") && !mv_auxv_get(&b->auxv, AT_SECURE) &&
			     sees(b, b->preload);
	if (!b->plan->preloaded)
		b->preload = NULL;
}

static int plan_all(struct boot *b, const struct mv_boot_random *at_random, enum mv_vdso vdso)
{
	uint64_t stat[STAT_FIELDS];
	const uint8_t *random;
	int r;

	read_program_name(b);
	if (b->regs->cs != USER_CS_64)
		return boot_not_ours(b, "is a 32-bit program");
	if ((r = mv_maps_read(b->pid, &b->maps, b->err)) || (r = mv_auxv_read(b->pid, &b->auxv, b->err)) ||
	    (r = read_stat(b, stat)) || (r = find_syscall(b->pid, &b->maps, &b->plan->syscall_insn, b->err)))
		return r;
	if ((r = boot_find_program(b)) || (r = boot_find_interp(b)) || (r = boot_find_stack(b)))
		return r;
	boot_find_vdso(b);
	if ((r = boot_place_parts(b)))
		return r;
	boot_plan_brk(b, stat[STAT_BRK]);
	b->plan->entry = b->regs->rip + (boot_part_has(&b->interp, b->regs->rip) ? b->interp.delta : b->program.delta);
	plan_preload(b);
	random = !at_random ? NULL : b->plan->seeds_by_random ? at_random->common : at_random->own;
	if ((r = boot_plan_stack(b, random)) || (r = boot_plan_vdso(b, vdso)))
		return r;
	if ((r = drop_mappings(b)) || (r = add_moves(b, &b->program)) || (r = add_moves(b, &b->interp)) ||
	    (r = add_moves(b, &b->stack)) || (r = add_moves(b, &b->vdso)) || (r = list_mappings(b)))
		return r;
	list_texts(b);
	if (b->plan->extra && (r = b->plan->extra->add(b->plan, b->plan->extra->ctx, b->err)))
		return r;
	return build_agent(b, stat);
}

int mv_boot_plan(pid_t pid, const struct user_regs_struct *regs, struct mv_layout *layout, const struct mv_boot_random *at_random,
		 enum mv_vdso vdso, const char *preload, const struct mv_boot_extra *extra, struct mv_boot_plan *plan,
		 struct mv_error *err)
{
	struct boot b = { .pid = pid, .regs = regs, .layout = layout, .plan = plan, .preload = preload, .err = err };
	uint64_t mask;
	int r;

	memset(plan, 0, sizeof(*plan));
	plan->extra = extra;
	r = plan_all(&b, at_random, vdso);
	mv_maps_free(&b.maps);
	if (r && ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask) && errno == ESRCH)
		r = mv_error_set(err, ESRCH, "boot: process %d was killed", (int)pid);
	return r;
}

void mv_boot_plan_free(struct mv_boot_plan *plan)
{
	free(plan->agent_bytes);
	free(plan->stack_bytes);
	free(plan->vdso_bytes);
	plan->agent_bytes = NULL;
	plan->stack_bytes = NULL;
	plan->vdso_bytes = NULL;
}
