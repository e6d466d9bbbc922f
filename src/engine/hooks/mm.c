/*
 * The address space: where mappings go, what is known of them, which files followers need for them.
 */
#include "engine/internal.h"

#define NR_MMAP 9
#define NR_MUNMAP 11
#define NR_MREMAP 25
#define NR_FCNTL 72

#define F_GETFD_ 1

#define MAP_SHARED_ 0x01u
#define MAP_PRIVATE_ 0x02u
#define MAP_TYPE_ 0x0fu
#define MAP_FIXED_ 0x10u
#define MAP_ANONYMOUS_ 0x20u
#define MAP_32BIT_ 0x40u
#define MAP_NORESERVE_ 0x4000u
#define MAP_POPULATE_ 0x8000u
#define MAP_GROWSDOWN_ 0x100u
#define MAP_FIXED_NOREPLACE_ 0x100000u
#define PROT_WRITE_ 2u
#define PROT_READ_WRITE_ 3u
#define PROT_EXEC_ 4u
#define PAGE 4096ull

static uint64_t page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(PAGE - 1);
}

/* What one variant maps alone is counted apart, and what all may map each at its own time is not counted. */
static uint32_t ordinal(struct mv_thread *t)
{
	if (t->cls == MV_CLASS_OWN)
		return MV_MAP_OWN;
	return t->alone ? mv_mm_ordinal_alone(t->process->mm) : mv_mm_ordinal(t->process->mm);
}

/*
 * Where threads run at once, which of them asks for memory, and how often, depends on what its siblings have freed: in
 * allocators and in the C library's cache of stacks, whatever locks they use.  So private anonymous memory that nobody
 * executes is then each variant's own, as to give its pages back is everywhere.
 */
static bool is_own(const struct mv_thread *t, uint64_t start, uint64_t len)
{
	return t->process->own_memory && mv_mm_is_private(t->process->mm, start, len);
}

enum { AUX_IMPORTED, AUX_PLACED, AUX_TRIES, AUX_STATE };
#define AUX_THEN AUX_IMPORTED		/* of calls that take away: mv_mm_now() before */

static int own_range_prepare(struct mv_thread *t)
{
	t->aux[AUX_THEN] = mv_mm_now(t->process->mm);
	if (is_own(t, t->call.args[0], t->call.args[1]))
		t->cls = MV_CLASS_OWN;
	return 0;
}

/* ---- mmap: args addr, len, prot, flags, fd, offset ---- */

#define TRIES 64

#define PLACE_IN_RESERVED 0xfffffffffffull	/* no offset of a page */

static bool is_file(const struct mv_thread *t)
{
	return !(t->call.args[3] & MAP_ANONYMOUS_);
}

static const struct mv_fd *map_fd(const struct mv_thread *t)
{
	return mv_fd_get(t->process->files, (int32_t)t->call.args[4]);
}

static bool is_twin(const struct mv_thread *t)
{
	return map_fd(t)->flags & MV_FD_TWIN;
}

static bool is_shared(const struct mv_thread *t)
{
	return t->call.args[3] & MAP_SHARED_;
}

/* The leader's stores must not be in what followers are about to take from the file. */
static bool writes_file(const struct mv_thread *t)
{
	return is_file(t) && !is_twin(t) && is_shared(t) && t->call.args[2] & PROT_WRITE_;
}

/* A follower must not write to the leader's file, and the file is one that has no shadow. */
static bool needs_copy(const struct mv_thread *t)
{
	return !t->leads && is_file(t) && t->extra & MV_HANDLE_COPY;
}

static int map_prepare(struct mv_thread *t)
{
	const uint64_t *args = t->call.args, compared = MAP_GROWSDOWN_ | MAP_32BIT_ | MAP_FIXED_NOREPLACE_;

	if (t->process->own_memory && !is_file(t) && (args[3] & MAP_TYPE_) == MAP_PRIVATE_ && !(args[3] & compared) &&
	    !(args[2] & PROT_EXEC_) && (!(args[3] & MAP_FIXED_) || is_own(t, args[0], args[1])))
		t->cls = MV_CLASS_OWN;
	return 0;
}

/*
 * Nobody else gets a place that the kernel is about to be asked for.  A follower puts it at the distance that the leader has told,
 * even if it has not given back the same memory as the leader before.
 */
static uint64_t take_place(struct mv_thread *t, uint64_t len, bool file, bool grows_down, uint64_t distance)
{
	uint64_t place = mv_mm_place_at(t->process->mm, distance, len, grows_down);

	if (!place)
		place = mv_mm_place(t->process->mm, len, file, grows_down);
	return place && !mv_mm_add(t->process->mm, place, len, MV_MAP_OTHER, 0) ? place : 0;
}

static bool is_private_anonymous(const struct mv_thread *t)
{
	return (t->call.args[3] & (MAP_TYPE_ | MAP_ANONYMOUS_)) == (MAP_PRIVATE_ | MAP_ANONYMOUS_);
}

/*
 * Where in an address range of its own that was only reserved a program puts memory, and how much, may follow from other
 * addresses: Go's heap has tables with an element for every 4 MiB of the address space, of which it maps what it needs.  What is
 * mapped there has an ordinal of its own.
 */
static void map_normalise(struct mv_thread *t)
{
	uint64_t addr = t->call.args[0], out[2];

	if (!(t->call.args[3] & MAP_FIXED_) || !is_private_anonymous(t) || t->call.args[2] & PROT_EXEC_ || addr % PAGE)
		return;
	if (!mv_mm_is(t->process->mm, addr, page_up(t->call.args[1]), MV_MM_RESERVED, 0))
		return;
	mv_mm_normalise(t->process->mm, addr, out);
	t->norm[0] = out[0] << 44 ^ PLACE_IN_RESERVED;
	t->norm[1] = 0;
}

/*
 * When a program asks for memory of its own, and how much, may follow from its addresses: tables that are hashed by them grow when they
 * are crowded, caches that are (CPython's, Ruby's) keep more or fewer objects.  Who has more than the others has it alone.
 */
static bool map_elastic(const uint64_t *norm)
{
	const uint64_t flags = MAP_TYPE_ | MAP_ANONYMOUS_ | MAP_FIXED_ | MAP_FIXED_NOREPLACE_ | MAP_32BIT_ | MAP_GROWSDOWN_;

	return (norm[3] & flags) == (MAP_PRIVATE_ | MAP_ANONYMOUS_) && !(norm[2] & PROT_EXEC_);
}

static bool ask_mmap(struct mv_thread *t, struct mv_step *step)
{
	uint64_t flags = t->call.args[3];
	uint64_t *args = step->call.args;

	mv_ask_own(t, step);
	/* Populating a private writable mapping copies its pages now, while the leader waits: a later look finds its writes. */
	if (needs_copy(t))
		args[3] = (flags & ~(uint64_t)MAP_TYPE_) | MAP_PRIVATE_ | MAP_POPULATE_;
	t->aux[AUX_PLACED] = 0;
	if (flags & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_ | MAP_32BIT_) || !args[1])
		return true;
	t->aux[AUX_PLACED] = take_place(t, page_up(args[1]), is_file(t) || t->alone, flags & MAP_GROWSDOWN_, is_file(t) ? 0 : t->extra);
	if (t->aux[AUX_PLACED]) {
		args[0] = t->aux[AUX_PLACED];
		args[3] |= MAP_FIXED_NOREPLACE_;
	}
	return true;
}

static bool map(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return ask_mmap(t, step);
	/* Something is there that the program did not map: it stays taken, look further. */
	if (last == ERR(EEXIST) && t->aux[AUX_PLACED] && t->aux[AUX_TRIES]++ < TRIES)
		return ask_mmap(t, step);
	if (is_error(last) && t->aux[AUX_PLACED])
		mv_mm_remove(t->process->mm, t->aux[AUX_PLACED], page_up(t->call.args[1]));
	t->own = last;
	return false;
}

static void map_collect(struct mv_thread *t)
{
	struct mv_share share = { .fd = (int32_t)t->call.args[4] };

	if (writes_file(t))
		t->flags |= MV_REC_HOLD;
	if (!is_file(t)) {
		t->extra = mv_mm_distance(t->process->mm, (uint64_t)t->own);
		return;
	}
	/* One that is there already is the file, or its shadow: but another process may have given it one since. */
	if (is_twin(t) || map_fd(t)->flags & MV_FD_OWN || (map_fd(t)->flags && !is_shared(t)))
		return;
	if (is_shared(t)) {
		share.how = writes_file(t) ? MV_SHARE_MAPPED | MV_SHARE_WRITTEN : MV_SHARE_MAPPED;
		share.offset = t->call.args[5];
		share.len = t->call.args[1];
	}
	mv_export(t, &share, &t->extra);
	if (t->extra & MV_HANDLE_SHADOW) {
		t->flags |= MV_REC_HOLD;
		__atomic_add_fetch(&t->run->shadows, 1, __ATOMIC_RELAXED);
	}
}

/* The file comes to the placeholder's number, as close-on-exec as that is. */
static bool import(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	int32_t fd = (int32_t)t->call.args[4];

	if (!t->step)
		return mv_ask(step, NR_FCNTL, (uint64_t)fd, F_GETFD_, 0);
	t->aux[AUX_IMPORTED] = 1;
	return mv_ask_import(step, t->extra, fd, is_error(last) || last & 1);
}

static bool map_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->extra && is_file(t) && !t->aux[AUX_IMPORTED])
		return import(t, last, step);
	if (t->aux[AUX_IMPORTED] == 1) {
		t->aux[AUX_IMPORTED] = 2;
		t->step = 0;
		if (is_error(last)) {
			t->own = last;
			return false;
		}
	}
	return map(t, last, step);
}

static void map_done(struct mv_thread *t)
{
	struct mv_fd fd = is_file(t) ? *map_fd(t) : (struct mv_fd){ 0 };
	uint32_t flags = is_file(t) ? MV_MM_FILE : 0;

	if (is_error(t->result) || is_error(t->own))
		return;
	if (t->extra && is_file(t)) {
		fd.flags |= MV_FD_EXPORTED | (t->extra & MV_HANDLE_SHADOW ? MV_FD_SHADOW : 0);
		mv_fd_set(t->process->files, (int32_t)t->call.args[4], fd);
	}
	if (is_shared(t))
		flags |= MV_MM_SHARED;
	if (is_shared(t) && (!is_file(t) || is_twin(t) || fd.flags & MV_FD_SHADOW || writes_file(t)))
		flags |= MV_MM_COMMON;
	if (is_private_anonymous(t) && !t->call.args[2])
		flags |= MV_MM_RESERVED;
	mv_mm_add(t->process->mm, (uint64_t)t->own, page_up(t->call.args[1]), ordinal(t), flags);
}

const struct mv_hook mv_hook_mmap = {
	.prepare = map_prepare, .normalise = map_normalise, .elastic = map_elastic, .lead = map, .collect = map_collect,
	.follow = map_follow, .done = map_done,
};

/* ---- munmap: args addr, len ---- */

#define OWN_MEMORY 0xfffffffffffull

/*
 * In which order a program gives memory of its own back may follow from its addresses: V8 has its pages in sets that are
 * hashed by them.  How much it is is compared, which it is not.
 */
static void own_memory_normalise(struct mv_thread *t)
{
	uint64_t addr = t->call.args[0], len = page_up(t->call.args[1]);

	if (addr % PAGE == 0 && mv_mm_is(t->process->mm, addr, len, 0, ~(uint32_t)MV_MM_RESERVED))
		t->norm[0] = OWN_MEMORY;
}

static bool own_memory_elastic(const uint64_t *norm)
{
	return norm[0] == OWN_MEMORY;
}

static void unmap_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_mm_remove_of(t->process->mm, t->call.args[0], page_up(t->call.args[1]), t->aux[AUX_THEN]);
}

const struct mv_hook mv_hook_munmap = {
	.prepare = own_range_prepare, .normalise = own_memory_normalise, .elastic = own_memory_elastic, .done = unmap_done,
};

/* ---- mremap: args old, old length, new length, flags, new ---- */

#define MREMAP_MAYMOVE_ 1u
#define MREMAP_FIXED_ 2u
#define MREMAP_DONTUNMAP_ 4u

static int remap_prepare(struct mv_thread *t)
{
	t->aux[AUX_THEN] = mv_mm_now(t->process->mm);
	return t->call.args[3] & (MREMAP_FIXED_ | MREMAP_DONTUNMAP_) ? 0 : own_range_prepare(t);
}

static void remap_normalise(struct mv_thread *t)
{
	if (!(t->call.args[3] & (MREMAP_FIXED_ | MREMAP_DONTUNMAP_)))
		own_memory_normalise(t);
}

enum { REMAPS, GROWS, RESERVES, MOVES, MOVES_ANYWAY, GIVES_BACK };	/* aux[AUX_STATE] */

/* A place for it, which nothing is in by then: to move over what the kernel has there would take that away. */
static bool reserve(struct mv_thread *t, struct mv_step *step)
{
	uint64_t len = page_up(t->call.args[2]);

	t->aux[AUX_STATE] = RESERVES;
	t->aux[AUX_PLACED] = take_place(t, len, t->alone, false, t->leads || t->alone ? 0 : t->extra);
	if (!t->aux[AUX_PLACED]) {
		t->own = ERR(ENOMEM);
		return false;
	}
	mv_ask(step, NR_MMAP, t->aux[AUX_PLACED], len, 0);
	step->call.args[3] = MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_NORESERVE_ | MAP_FIXED_NOREPLACE_;
	step->call.args[4] = UINT64_MAX;
	return true;
}

static bool move(struct mv_thread *t, struct mv_step *step, uint64_t state)
{
	t->aux[AUX_STATE] = state;
	mv_ask_own(t, step);
	step->call.args[3] |= MREMAP_FIXED_;
	step->call.args[4] = t->aux[AUX_PLACED];
	return true;
}

/* The kernel may move a mapping to a place of its own choice; ours must stay inside the variant's window. */
static bool remap(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint64_t new_len = page_up(t->call.args[2]), flags = t->call.args[3];

	if (!t->step) {
		bool ours = flags & MREMAP_MAYMOVE_ && !(flags & MREMAP_FIXED_) && new_len &&
			    mv_mm_layout(t->process->mm)->mode == MV_LAYOUT_DISJOINT;

		if (ours && (flags & MREMAP_DONTUNMAP_ || !page_up(t->call.args[1])))
			return reserve(t, step);
		mv_ask_own(t, step);
		if (ours) {
			t->aux[AUX_STATE] = GROWS;
			step->call.args[3] &= ~(uint64_t)MREMAP_MAYMOVE_;
		}
		return true;
	}
	switch (t->aux[AUX_STATE]) {
	case GROWS:
		if (last == ERR(ENOMEM))
			return reserve(t, step);
		break;
	case RESERVES:
		/* As in map(): it stays taken. */
		if (last == ERR(EEXIST) && t->aux[AUX_TRIES]++ < TRIES)
			return reserve(t, step);
		/* There may be room for the mapping, but not for both. */
		return move(t, step, is_error(last) ? MOVES_ANYWAY : MOVES);
	case MOVES:
		if (!is_error(last))
			break;
		t->aux[AUX_STATE] = GIVES_BACK;
		t->own = last;
		return mv_ask(step, NR_MUNMAP, t->aux[AUX_PLACED], new_len, 0);
	case MOVES_ANYWAY:
		if (is_error(last))
			mv_mm_remove(t->process->mm, t->aux[AUX_PLACED], new_len);
		break;
	case GIVES_BACK:
		mv_mm_remove(t->process->mm, t->aux[AUX_PLACED], new_len);
		return false;
	}
	t->own = last;
	return false;
}

static void remap_collect(struct mv_thread *t)
{
	t->extra = mv_mm_distance(t->process->mm, (uint64_t)t->own);
}

static void remap_done(struct mv_thread *t)
{
	uint64_t old = t->call.args[0], old_len = page_up(t->call.args[1]), new_len = page_up(t->call.args[2]);
	const struct mv_mapping *m;
	uint32_t flags;

	if (is_error(t->result) || is_error(t->own))
		return;
	m = mv_mm_find(t->process->mm, old);
	flags = m ? m->flags : 0;
	if (!(t->call.args[3] & MREMAP_DONTUNMAP_) && old_len)
		mv_mm_remove_of(t->process->mm, old, old_len, t->aux[AUX_THEN]);
	mv_mm_add(t->process->mm, (uint64_t)t->own, new_len, ordinal(t), flags);
}

const struct mv_hook mv_hook_mremap = {
	.prepare = remap_prepare, .normalise = remap_normalise, .elastic = own_memory_elastic, .lead = remap, .collect = remap_collect,
	.follow = remap, .done = remap_done,
};

/* ---- brk: emulated, so that the heap is where the layout wants it ---- */

static int break_prepare(struct mv_thread *t)
{
	if (t->process->own_memory)
		t->cls = MV_CLASS_OWN;
	return 0;
}

static void break_normalise(struct mv_thread *t)
{
	const struct mv_brk *b = mv_mm_brk(t->process->mm);
	uint64_t want = t->call.args[0];

	/* Requests that only ask are told apart from real ones, not from each other. */
	t->norm[0] = want < b->start || want > b->limit ? 0 : want - b->start + 1;
}

static bool break_act(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	const struct mv_brk *b = mv_mm_brk(t->process->mm);
	uint64_t want = t->call.args[0], from = page_up(b->cur), to = page_up(want);

	if (t->step) {
		t->own = is_error(last) ? (int64_t)b->cur : (int64_t)want;
		return false;
	}
	if (want < b->start || want > b->limit) {
		t->own = (int64_t)b->cur;
		return false;
	}
	t->own = (int64_t)want;
	if (to == from)
		return false;
	if (to < from)
		return mv_ask(step, NR_MUNMAP, to, from - to, 0);
	mv_ask(step, NR_MMAP, from, to - from, 3);
	step->call.args[3] = MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_FIXED_NOREPLACE_;
	step->call.args[4] = UINT64_MAX;
	return true;
}

/* Followers grow when the leader has grown. */
static void break_collect(struct mv_thread *t)
{
	t->extra = (uint64_t)t->own != t->call.args[0];
}

static bool break_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->extra) {
		t->own = (int64_t)mv_mm_brk(t->process->mm)->cur;
		return false;
	}
	if (break_act(t, last, step))
		return true;
	if ((uint64_t)t->own != t->call.args[0])
		t->own = ERR(ENOMEM);
	return false;
}

static void break_done(struct mv_thread *t)
{
	struct mv_brk *b = mv_mm_brk(t->process->mm);
	uint64_t end;

	if (is_error(t->own))
		return;
	end = page_up(b->cur);
	b->cur = (uint64_t)t->own;
	if (page_up(b->cur) < end)
		mv_mm_remove(t->process->mm, page_up(b->cur), end - page_up(b->cur));
	else if (page_up(b->cur) > end)
		mv_mm_add(t->process->mm, b->start, page_up(b->cur) - b->start, MV_MAP_BRK, 0);
}

const struct mv_hook mv_hook_brk = {
	.prepare = break_prepare, .normalise = break_normalise, .lead = break_act, .collect = break_collect,
	.follow = break_follow, .done = break_done,
};

/* ---- madvise(MADV_FREE): what the kernel may drop at any time differs between variants, so it is dropped at once ---- */

#define MADV_DONTNEED_ 4

static bool advise(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	(void)last;
	mv_ask_own(t, step);
	step->call.args[2] = MADV_DONTNEED_;
	return true;
}

const struct mv_hook mv_hook_madvise = { .lead = advise };

/* ---- mprotect: args addr, len, prot ---- */

/*
 * How much of what it has reserved a program makes accessible, and when, is its allocators' affair, and these hold what depends on
 * addresses: glibc's arenas grow otherwise once V8 has given back zones in the order of a hash.  Where threads run at once
 * somebody else may change the mappings now.
 */
static bool commits(const struct mv_thread *t)
{
	uint64_t addr = t->call.args[0], len = t->call.args[1];

	return t->process->turns && addr % PAGE == 0 && !(t->call.args[2] & ~(uint64_t)PROT_READ_WRITE_) &&
	       mv_mm_is(t->process->mm, addr, page_up(len), MV_MM_RESERVED, 0);
}

static int protect_prepare(struct mv_thread *t)
{
	if (t->call.args[2] & PROT_EXEC_)
		return 0;
	if (mv_heap_protects(t) || commits(t))
		t->cls = MV_CLASS_LOCAL;
	return own_range_prepare(t);
}

const struct mv_hook mv_hook_mprotect = { .prepare = protect_prepare };
