/*
 * Gathering: what a call passes in, read once from the variant's memory and flattened into a canonical sequence of bytes
 * that is equal in two variants when the calls mean the same.  Lengths go in before contents, padding stays out, pointers
 * become null or not null, addresses (mapping, offset).
 */
#include <linux/socket.h>
#include "internal.h"
#include "message.h"

#define NR_EXECVEAT 322u
#define RW_MAX 0x7ffff000ull	/* the kernel moves no more in one call */
#define STRING_MAX (128 * 1024)
#define PAGE 4096u

struct mmsghdr64 { struct msghdr64 hdr; uint32_t len, pad; };

size_t mv_peek(struct mv_thread *t, uint64_t addr, void *dst, size_t len)
{
	return len ? t->ops->peek(t->task, addr, dst, len) : 0;
}

bool mv_peek_all(struct mv_thread *t, uint64_t addr, void *dst, size_t len)
{
	return mv_peek(t, addr, dst, len) == len;
}

void mv_blob_put(struct mv_blob *b, const void *p, size_t len, const uint64_t key[4])
{
	if (b->total + len <= MV_INLINE_MAX) {
		__builtin_memcpy(b->bytes + b->total, p, len);
		b->total += len;
		return;
	}
	if (b->total <= MV_INLINE_MAX) {
		size_t inline_part = MV_INLINE_MAX - b->total;

		mv_hash_init(&b->hash, key);
		mv_hash_update(&b->hash, b->bytes, b->total);
		__builtin_memcpy(b->bytes + b->total, p, inline_part);
	}
	mv_hash_update(&b->hash, p, len);
	b->total += len;
}

void mv_blob_hash(struct mv_blob *b, uint64_t out[2])
{
	if (b->total > MV_INLINE_MAX)
		mv_hash_final(&b->hash, out);
	else
		out[0] = out[1] = 0;
}

static void put(struct mv_thread *t, const void *p, size_t len)
{
	mv_blob_put(t->blob, p, len, t->run->config.seed);
}

static void put64(struct mv_thread *t, uint64_t v)
{
	put(t, &v, sizeof(v));
}

static void fault(struct mv_thread *t, unsigned arg)
{
	t->blob->faults |= 1u << arg;
}

/* Bytes from the program's memory; false after a fault.  What is kept goes there at once. */
bool mv_gather_memory(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t len)
{
	struct mv_blob *b = t->blob;

	if (len <= MV_INLINE_MAX && b->total <= MV_INLINE_MAX - len) {
		size_t got = mv_peek(t, addr, b->bytes + b->total, len);

		b->total += got;
		if (got < len)
			fault(t, arg);
		return got == len;
	}
	while (len) {
		size_t want = len < MV_SCRATCH ? (size_t)len : MV_SCRATCH;
		size_t got = mv_peek(t, addr, t->scratch, want);

		put(t, t->scratch, got);
		if (got < want) {
			fault(t, arg);
			return false;
		}
		addr += got;
		len -= got;
	}
	return true;
}

/* A string with its NUL, at most max bytes; never reads across a page that the string does not reach. */
static bool put_str(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t max)
{
	while (max) {
		uint8_t chunk[256];
		size_t want = PAGE - (addr & (PAGE - 1));
		size_t got, n = 0;

		if (want > sizeof(chunk))
			want = sizeof(chunk);
		if (want > max)
			want = (size_t)max;
		got = mv_peek(t, addr, chunk, want);
		while (n < got && chunk[n])
			n++;
		put(t, chunk, n);
		if (n < got) {
			put(t, "", 1);
			return true;
		}
		if (got < want) {
			fault(t, arg);
			return false;
		}
		addr += got;
		max -= got;
	}
	return true;
}

int64_t mv_peek_str(struct mv_thread *t, uint64_t addr, char *dst, size_t size)
{
	size_t n = 0;

	while (n < size) {
		size_t want = PAGE - ((addr + n) & (PAGE - 1));
		size_t got;

		if (want > size - n)
			want = size - n;
		got = mv_peek(t, addr + n, dst + n, want);
		for (size_t i = 0; i < got; i++)
			if (!dst[n + i])
				return (int64_t)(n + i);
		if (got < want)
			return ERR(EFAULT);
		n += got;
	}
	return ERR(ENAMETOOLONG);
}

/* A setting that only some variants have been given (--variant), in the environment of an exec. */
static bool is_own_setting(struct mv_thread *t, unsigned arg, uint64_t addr)
{
	char start[MV_OWN_ENV_NAME + 1];

	if (!t->run->own_env[0][0] || !(t->desc->flags & MV_DESC_EXEC) ||
	    arg != (t->call.nr == NR_EXECVEAT ? 3 : 2))
		return false;
	start[mv_peek(t, addr, start, sizeof(start) - 1)] = 0;
	return mv_is_own_setting(t->run, start);
}

static void put_strv(struct mv_thread *t, unsigned arg, uint64_t addr)
{
	for (;; addr += 8) {
		uint64_t p;

		if (!mv_peek_all(t, addr, &p, 8)) {
			fault(t, arg);
			return;
		}
		if (p && is_own_setting(t, arg, p))
			continue;
		put(t, p ? "+" : "-", 1);
		if (!p || !put_str(t, arg, p, STRING_MAX))
			return;
	}
}

/* An iovec array; contents too if there are any to compare. */
static void put_iov(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t count, bool contents)
{
	uint64_t left = RW_MAX;

	if (count > IOV_MAX_COUNT)
		return;		/* EINVAL for every variant */
	for (uint64_t i = 0; i < count; i++) {
		struct iov v;

		if (!mv_peek_all(t, addr + i * sizeof(v), &v, sizeof(v))) {
			fault(t, arg);
			return;
		}
		put64(t, v.len);
		if (v.len > left)
			v.len = left;
		left -= v.len;
		if (contents && !mv_gather_memory(t, arg, v.base, v.len))
			return;
	}
}

static void put_sockaddr(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t len)
{
	uint8_t sa[128] = { 0 };
	uint16_t family;
	size_t n;

	if (len > sizeof(sa) || len < 2) {
		put64(t, len);
		return;
	}
	if (!mv_peek_all(t, addr, sa, len)) {
		fault(t, arg);
		return;
	}
	__builtin_memcpy(&family, sa, 2);
	switch (family) {
	case 1:		/* AF_UNIX: a path ends at its NUL, an abstract name has its length */
		for (n = 2; n < len && (sa[n] || n == 2); n++)
			if (n == 2 && !sa[2]) {
				n = len;
				break;
			}
		break;
	case 2:		/* AF_INET: sin_zero does not count */
		n = len < 8 ? len : 8;
		break;
	case 10:	/* AF_INET6 */
		n = len < 28 ? len : 28;
		break;
	case 16:	/* AF_NETLINK: nl_pad does not count */
		__builtin_memset(sa + 2, 0, 2);
		n = len < 12 ? len : 12;
		break;
	default:
		n = len;
	}
	put64(t, n);
	put(t, sa, n);
}

static void put_control(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t len)
{
	uint64_t at = 0;

	put64(t, len);
	while (at + 16 <= len && at < STRING_MAX) {
		struct { uint64_t len; int32_t level, type; } c;

		if (!mv_peek_all(t, addr + at, &c, sizeof(c))) {
			fault(t, arg);
			return;
		}
		put(t, &c, sizeof(c));
		if (c.len < sizeof(c) || c.len > len - at)
			return;
		if (!mv_gather_memory(t, arg, addr + at + sizeof(c), c.len - sizeof(c)))
			return;
		at += (c.len + 7) & ~7ull;
	}
}

static void put_msg(struct mv_thread *t, unsigned arg, uint64_t addr, bool contents)
{
	struct msghdr64 m;

	if (!mv_peek_all(t, addr, &m, sizeof(m))) {
		fault(t, arg);
		return;
	}
	put(t, m.name ? "+" : "-", 1);
	put(t, &m.namelen, 4);
	if (contents && m.name)
		put_sockaddr(t, arg, m.name, m.namelen);
	put64(t, m.iovlen);
	put_iov(t, arg, m.iov, m.iovlen, contents);
	put(t, m.control ? "+" : "-", 1);
	if (contents && m.control)
		put_control(t, arg, m.control, m.controllen);
	else if (m.control)
		put64(t, m.controllen);
}

static void put_mmsg(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t count, bool contents)
{
	if (count > IOV_MAX_COUNT)
		count = IOV_MAX_COUNT;
	for (uint64_t i = 0; i < count && !(t->blob->faults & (1u << arg)); i++)
		put_msg(t, arg, addr + i * sizeof(struct mmsghdr64), contents);
}

static void put_struct(struct mv_thread *t, const struct mv_operand *o, uint64_t addr, uint64_t count)
{
	const struct mv_struct *s = &mv_structs[o->st];
	uint8_t bytes[512];

	for (uint64_t i = 0; i < count; i++, addr += s->size) {
		if (s->size > sizeof(bytes) || !mv_peek_all(t, addr, bytes, s->size)) {
			fault(t, o->arg);
			return;
		}
		for (unsigned f = 0; f < s->nfields; f++)
			put(t, bytes + s->fields[f].offset, s->fields[f].length);
	}
}

static void put_pollfds(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t count)
{
	while (count) {
		size_t n = count < MV_SCRATCH / 8 ? (size_t)count : MV_SCRATCH / 8;
		size_t got = mv_peek(t, addr, t->scratch, n * 8);

		for (size_t i = 0; i < got / 8; i++) {
			int32_t fd;

			__builtin_memcpy(&fd, t->scratch + 8 * i, 4);
			/* An entry with a negative descriptor is not looked at. */
			put(t, t->scratch + 8 * i, fd < 0 ? 4 : 6);
		}
		if (got < n * 8) {
			fault(t, arg);
			return;
		}
		addr += n * 8;
		count -= n;
	}
}

static void put_sigarg(struct mv_thread *t, unsigned arg, uint64_t addr)
{
	uint64_t v[2];

	if (!mv_peek_all(t, addr, v, sizeof(v))) {
		fault(t, arg);
		return;
	}
	put(t, v[0] ? "+" : "-", 1);
	if (v[0])
		mv_gather_memory(t, arg, v[0], v[1] < 8 ? v[1] : 8);
}

uint64_t mv_length_arg(const struct mv_thread *t, const struct mv_operand *o)
{
	uint64_t a = t->call.args[o->len_arg < MV_NARGS ? o->len_arg : 0];

	for (unsigned i = 0; i < t->desc->nin; i++)
		if (t->desc->in[i].arg == o->len_arg && t->desc->in[i].kind == MV_KIND_U32)
			return (uint32_t)a;
	return a;
}

uint64_t mv_fdset_bits(const struct mv_thread *t, const struct mv_operand *o)
{
	int32_t n = (int32_t)t->call.args[o->len_arg];
	uint32_t open = mv_files_limit(t->process->files);

	return n <= 0 ? 0 : (uint32_t)n < open ? (uint32_t)n : open;
}

/* How many bytes or elements an input operand has. */
static uint64_t input_count(const struct mv_thread *t, const struct mv_operand *o)
{
	uint64_t a = mv_length_arg(t, o);

	switch (o->len) {
	case MV_LEN_ARG:
		return a * o->size;
	case MV_LEN_ARG_PLUS:
		return a + o->size;
	case MV_LEN_BITS:
		return mv_mask_bytes(a);
	case MV_LEN_INT:
		return (int32_t)a < 0 ? 0 : (uint32_t)a;
	case MV_LEN_MIN_INT:
		return (int32_t)a < 0 ? 0 : (uint32_t)a < o->size ? (uint32_t)a : o->size;
	default:
		return o->size;
	}
}

static uint64_t limited(uint64_t v, uint64_t max)
{
	return v < max ? v : max;
}

static void gather_memory(struct mv_thread *t, const struct mv_operand *o, uint64_t addr)
{
	uint64_t n = input_count(t, o);

	switch (o->kind) {
	case MV_KIND_STR:
	case MV_KIND_PATH:
		put_str(t, o->arg, addr, STRING_MAX);
		break;
	case MV_KIND_STRV:
		put_strv(t, o->arg, addr);
		break;
	case MV_KIND_BUF:
		mv_gather_memory(t, o->arg, addr, limited(n, RW_MAX));
		break;
	case MV_KIND_STRUCT:
		put_struct(t, o, addr, limited(n, 1 << 16));
		break;
	case MV_KIND_IOV:
	case MV_KIND_IOVLAY:
		put_iov(t, o->arg, addr, n, o->kind == MV_KIND_IOV);
		break;
	case MV_KIND_MSG:
	case MV_KIND_MSGLAY:
		put_msg(t, o->arg, addr, o->kind == MV_KIND_MSG);
		break;
	case MV_KIND_MMSG:
	case MV_KIND_MMSGLAY:
		put_mmsg(t, o->arg, addr, (uint32_t)n, o->kind == MV_KIND_MMSG);
		break;
	case MV_KIND_SOCKADDR:
		put_sockaddr(t, o->arg, addr, (uint32_t)n);
		break;
	case MV_KIND_SIGSET:
		mv_gather_memory(t, o->arg, addr, limited(n, 8));
		break;
	case MV_KIND_SIGARG:
		put_sigarg(t, o->arg, addr);
		break;
	case MV_KIND_FDSET:
		mv_gather_memory(t, o->arg, addr, (mv_fdset_bits(t, o) + 63) / 64 * 8);
		break;
	case MV_KIND_POLLFDS:
		put_pollfds(t, o->arg, addr, limited((uint32_t)n, 1 << 20));
		break;
	}
}

static void gather_operand(struct mv_thread *t, const struct mv_operand *o)
{
	uint64_t v = t->call.args[o->arg];
	struct mv_blob *b = t->blob;

	switch (o->kind) {
	case MV_KIND_IGN:
		return;
	case MV_KIND_U32:
	case MV_KIND_FD:
	case MV_KIND_DFD:
		t->norm[o->arg] = (uint32_t)v;
		return;
	case MV_KIND_U64:
		t->norm[o->arg] = v;
		return;
	case MV_KIND_ADDR: {
		uint64_t n[2];

		mv_mm_normalise(t->process->mm, v, n);
		t->norm[o->arg] = n[0] << MV_NORM_SHIFT ^ n[1];
		return;
	}
	}
	t->norm[o->arg] = v != 0;
	if (!v || o->kind == MV_KIND_PTR)
		return;
	if (b->nmarks < MV_MARKS) {
		b->marks[b->nmarks].start = b->total;
		b->marks[b->nmarks++].arg = o->arg;
	}
	gather_memory(t, o, v);
}

void mv_gather(struct mv_thread *t)
{
	struct mv_blob *b = t->blob;

	b->total = 0;
	b->faults = 0;
	b->nmarks = 0;
	__builtin_memset(t->norm, 0, sizeof(t->norm));
	for (unsigned i = 0; i < t->desc->nin; i++)
		if (mv_operand_there(&t->desc->in[i], t->call.args))
			gather_operand(t, &t->desc->in[i]);
	if (t->desc->hook && t->desc->hook->normalise)
		t->desc->hook->normalise(t);
}
