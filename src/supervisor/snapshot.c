/*
 * What a stopped thread looks like.  Everything is read the way a tracer may always read (PTRACE_GETREGS,
 * PTRACE_PEEKDATA, which unlike process_vm_readv also works on programs that made themselves undumpable), nothing is
 * written, and the thread stays stopped: libdwfl gets callbacks of ours, since its own would attach and detach.
 *
 * Modules come from the mappings as they are now: the variant's were moved, and its link map is not to be trusted.
 * libdwfl opens a module's file only when a frame lies in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>
#include "supervisor/boot.h"
#include "supervisor/dwfl.h"
#include "supervisor/procmaps.h"
#include "supervisor/report.h"

struct unwind {
	struct mv_snapshot *s;
	pid_t tid;
	Dwfl *dwfl;
	struct user_regs_struct regs;	/* where unwinding starts */
	bool at_return;			/* regs.rip is a return address, not the next instruction to run */
};

/* ---- mappings ---- */

static void read_regions(pid_t tid, void (*rename)(void *ctx, struct mv_maps *maps), void *ctx, struct mv_snapshot *s)
{
	struct mv_maps maps;
	unsigned i;

	/* After an error there may still be the lines before it. */
	mv_maps_read(tid, &maps, NULL);
	if (rename)
		rename(ctx, &maps);
	s->regions = calloc(maps.n + 1, sizeof(*s->regions));
	for (i = 0; s->regions && i < maps.n; i++) {
		const struct mv_map *m = &maps.maps[i];
		struct mv_region *r = &s->regions[s->nregions++];

		r->start = m->start;
		r->end = m->end;
		r->offset = m->offset;
		memcpy(r->perms, m->perms, sizeof(r->perms));
		r->name = m->name[0] ? strdup(m->name) : NULL;
	}
	mv_maps_free(&maps);
}

static bool executable(const struct mv_snapshot *s, uint64_t address)
{
	const struct mv_region *r = mv_region_at(s, address);

	return r && r->perms[2] == 'x';
}

/* ---- modules ---- */

static bool is_file(const struct mv_region *r)
{
	return r->name && r->name[0] == '/';
}

/*
 * The file behind a module.  map_files is the very file, even if it was replaced or deleted, but takes a privilege;
 * else the path as the process sees it.  What is no regular file is not opened for reading: that could wait.
 */
static int open_module(const struct unwind *u, const struct mv_region *r)
{
	char path[4200];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", u->tid, r->start, r->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", u->tid, r->name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_vdso(const struct mv_region *r)
{
	return r->name && !strcmp(r->name, "[vdso]");
}

/* The one of ours that is there, as a file; what the program has changed is none. */
static int open_vdso(const struct unwind *u, const struct mv_region *r)
{
	uint8_t there[4096];
	const uint8_t *image;
	size_t size;
	int fd;

	if (mv_proc_peek(u->tid, r->start, there, sizeof(there), NULL))
		return -1;
	for (enum mv_vdso which = 0; which < MV_VDSOS; which++) {
		image = mv_vdso_image(which, &size);
		if (size > sizeof(there) || memcmp(there, image, size))
			continue;
		fd = memfd_create("vdso", MFD_CLOEXEC);
		if (fd >= 0 && write(fd, image, size) == (ssize_t)size)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static int find_elf(Dwfl_Module *mod, void **data, const char *name, Dwarf_Addr base, char **file, Elf **elf)
{
	const struct unwind *u = *data;
	const struct mv_region *r = u ? mv_region_at(u->s, base) : NULL;
	int fd;

	(void)mod;
	*elf = NULL;
	*file = NULL;
	if (!r)
		return -1;
	fd = is_vdso(r) ? open_vdso(u, r) : open_module(u, r);
	if (fd >= 0)
		*file = strdup(name);
	return fd;
}

static void report_module(struct unwind *u, const struct mv_region *first, const struct mv_region *last)
{
	Dwfl_Module *mod = mv_dwfl()->report_module(u->dwfl, first->name, first->start, last->end);
	void **data;

	if (mod && mv_dwfl()->module_info(mod, &data, NULL, NULL, NULL, NULL, NULL, NULL))
		*data = u;
}

/* One module for each file with code, from its first mapping to its last one with no other file's in between. */
static void report_modules(struct unwind *u)
{
	const struct mv_snapshot *s = u->s;
	unsigned i, j, last;

	for (i = 0; i < s->nregions; i = last + 1) {
		bool code = false;

		last = i;
		if (is_vdso(&s->regions[i]))
			report_module(u, &s->regions[i], &s->regions[i]);
		if (!is_file(&s->regions[i]))
			continue;
		for (j = i; j < s->nregions; j++) {
			if (!is_file(&s->regions[j]))
				continue;
			if (strcmp(s->regions[j].name, s->regions[i].name) != 0 ||
			    s->regions[j].offset < s->regions[last].offset)
				break;
			last = j;
			code |= s->regions[j].perms[2] == 'x';
		}
		if (code)
			report_module(u, &s->regions[i], &s->regions[last]);
	}
}

/* ---- frames ---- */

static void add_frame(struct unwind *u, uint64_t pc, bool at_return)
{
	struct mv_snapshot *s = u->s;
	uint64_t inside = pc - at_return;	/* a call may be its function's last instruction */
	const struct mv_region *r = mv_region_at(s, inside);
	struct mv_frame *f;
	Dwfl_Module *mod;

	if (s->nframes == MV_FRAMES_MAX)
		return;
	f = &s->frames[s->nframes++];
	*f = (struct mv_frame){ .pc = pc };
	if (r && r->name) {
		f->module = strdup(r->name);
		f->module_offset = pc - r->start + r->offset;
	}
	mod = u->dwfl ? mv_dwfl()->addrmodule(u->dwfl, inside) : NULL;
	if (mod) {
		GElf_Off offset = 0;
		GElf_Sym sym;
		const char *name = mv_dwfl()->module_addrinfo(mod, inside, &offset, &sym, NULL, NULL, NULL);

		if (name) {
			f->symbol = strndup(name, strcspn(name, "@"));	/* without the version */
			f->offset = offset + at_return;
		}
	}
}

static bool peek(pid_t tid, uint64_t address, uint64_t *value)
{
	errno = 0;
	*value = (uint64_t)ptrace(PTRACE_PEEKDATA, tid, (void *)address, NULL);
	return !errno;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	const struct unwind *u = arg;

	(void)dwfl;
	if (*thread)
		return 0;
	*thread = arg;
	return u->tid;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
	const struct unwind *u = arg;

	(void)dwfl;
	return peek(u->tid, address, result);
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwind *u = arg;
	const struct user_regs_struct *r = &u->regs;
	/* DWARF's order */
	const Dwarf_Word regs[] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9,
				    r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };

	return mv_dwfl()->thread_state_registers(thread, 0, sizeof(regs) / sizeof(*regs), regs);
}

static int on_frame(Dwfl_Frame *state, void *arg)
{
	struct unwind *u = arg;
	Dwarf_Addr pc;
	bool next;

	if (!mv_dwfl()->frame_pc(state, &pc, &next) || !pc)
		return DWARF_CB_ABORT;
	add_frame(u, pc, !next || u->at_return);
	u->at_return = false;
	return u->s->nframes < MV_FRAMES_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/*
 * libdwfl unwinds by .eh_frame, and by frame pointers where there is none.  Where the program has jumped to an address
 * that is no code, as under attack, neither works, but a call through a bad pointer has just pushed its return address.
 */
static void unwind(struct unwind *u)
{
	static Dwfl_Callbacks callbacks = { .find_elf = find_elf };
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.memory_read = read_memory,
		.set_initial_registers = set_registers,
	};
	uint64_t caller;

	if (mv_dwfl()) {
		/* Local files; the standard one may ask a server. */
		callbacks.find_debuginfo = mv_dwfl()->build_id_find_debuginfo;
		u->dwfl = mv_dwfl()->begin(&callbacks);
	}
	if (u->dwfl) {
		mv_dwfl()->report_begin(u->dwfl);
		report_modules(u);
		mv_dwfl()->report_end(u->dwfl, NULL, NULL);
	}
	if (!executable(u->s, u->regs.rip)) {
		add_frame(u, u->regs.rip, false);
		if (!peek(u->tid, u->regs.rsp, &caller) || !executable(u->s, caller - 1))
			goto out;
		u->regs.rip = caller;
		u->regs.rsp += 8;
		u->at_return = true;
	}
	if (u->dwfl && mv_dwfl()->attach_state(u->dwfl, NULL, u->tid, &threads, u))
		mv_dwfl()->getthread_frames(u->dwfl, u->tid, on_frame, u);
	if (u->s->nframes == 0 || u->at_return)
		add_frame(u, u->regs.rip, u->at_return);	/* not even one frame: say at least where it is */
out:
	if (u->dwfl)
		mv_dwfl()->end(u->dwfl);
}

/* ---- public ---- */

int mv_snapshot_take(pid_t host_tid, void (*rename)(void *ctx, struct mv_maps *maps), void *ctx, struct mv_snapshot *out)
{
	struct unwind u = { .s = out, .tid = host_tid };
	char path[64];
	ssize_t n;

	memset(out, 0, sizeof(*out));
	out->host_tid = host_tid;
	snprintf(path, sizeof(path), "/proc/%d/exe", host_tid);
	n = readlink(path, out->program, sizeof(out->program) - 1);
	out->program[n > 0 ? n : 0] = 0;
	read_regions(host_tid, rename, ctx, out);
	if (ptrace(PTRACE_GETREGS, host_tid, NULL, &out->regs) == 0) {
		u.regs = out->regs;
		unwind(&u);
	}
	return 0;
}

void mv_snapshot_free(struct mv_snapshot *s)
{
	unsigned i;

	for (i = 0; i < s->nframes; i++) {
		free(s->frames[i].symbol);
		free(s->frames[i].module);
	}
	for (i = 0; i < s->nregions; i++)
		free(s->regions[i].name);
	free(s->regions);
	s->nframes = s->nregions = 0;
	s->regions = NULL;
}

void mv_report_free(struct mv_report *r)
{
	unsigned i;

	for (i = 0; i < r->nsnapshots; i++)
		mv_snapshot_free(&r->snapshots[i]);
	free(r->snapshots);
	free(r->command);
	free(r->words);
	free(r->rules);
	r->snapshots = NULL;
	r->nsnapshots = 0;
	r->command = r->words = r->rules = NULL;
}
