/*
 * The program's vDSO.  The kernel's answers without a system call, differently in every variant, so it may not stay; its
 * mapping does, with contents of ours.  That keeps the kernel and all tools that look at a process (by the name [vdso])
 * right about what it is.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine/mm.h"
#include "supervisor/boot_internal.h"

#define TRAP 0xcc

extern const uint8_t mv_vdso_syscall[], mv_vdso_monitor[];
extern const size_t mv_vdso_syscall_size, mv_vdso_monitor_size;

void boot_find_vdso(struct boot *b)
{
	uint64_t at = mv_auxv_get(&b->auxv, AT_SYSINFO_EHDR);
	const struct mv_map *map = at ? mv_maps_find(&b->maps, at) : NULL;

	if (!map || map->start != at || strcmp(map->name, "[vdso]"))
		return;
	b->vdso = (struct boot_part){ .start = map->start, .end = map->end, .align = BOOT_PAGE, .ordinal = MV_MAP_VDSO,
				      .flags = MV_MM_FILE };
}

const uint8_t *mv_vdso_image(enum mv_vdso which, size_t *size)
{
	*size = which == MV_VDSO_MONITOR ? mv_vdso_monitor_size : mv_vdso_syscall_size;
	return which == MV_VDSO_MONITOR ? mv_vdso_monitor : mv_vdso_syscall;
}

int boot_plan_vdso(struct boot *b, enum mv_vdso which)
{
	size_t size, len = b->vdso.end - b->vdso.start;
	const uint8_t *image = mv_vdso_image(which, &size);
	struct mv_boot_plan *plan = b->plan;

	if (!len)
		return 0;
	if (size > len)
		return mv_error_set(b->err, E2BIG, "boot: a vDSO of %zu bytes does not fit into the kernel's %zu", size, len);
	plan->vdso_bytes = malloc(len);
	if (!plan->vdso_bytes)
		return mv_error_set(b->err, ENOMEM, "boot: %zu bytes of vDSO", len);
	memcpy(plan->vdso_bytes, image, size);
	memset(plan->vdso_bytes + size, TRAP, len - size);
	plan->vdso_addr = b->vdso.start + b->vdso.delta;
	plan->vdso_len = len;
	return 0;
}
