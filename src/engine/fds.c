#include <linux/errno.h>
#include "fds.h"

#define FD_LIMIT (1 << 20)

#define DEAD_MAX 64

struct registration {
	uint32_t ep;
	int fd;
	bool live;		/* data is registered */
	bool had;		/* former was */
	uint64_t data, former;
};

struct mv_files {
	const struct mv_ops *ops;
	unsigned refs;
	uint32_t epolls;
	unsigned nfds, nregs, regs_max;
	unsigned dead;		/* registrations that are not live */
	struct mv_fd *fds;
	struct registration *regs;
};

struct mv_files *mv_files_new(const struct mv_ops *ops)
{
	struct mv_files *f = ops->alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->refs = 1;
	return f;
}

struct mv_files *mv_files_ref(struct mv_files *f)
{
	f->refs++;
	return f;
}

/* Replace an array by a longer copy of itself. */
static void *grown(const struct mv_ops *ops, void *old, size_t old_size, size_t new_size)
{
	void *p = ops->alloc(new_size);

	if (p && old_size) {
		__builtin_memcpy(p, old, old_size);
		ops->free(old, old_size);
	}
	return p;
}

struct mv_files *mv_files_copy(const struct mv_files *f)
{
	struct mv_files *c = mv_files_new(f->ops);

	if (!c)
		return NULL;
	c->epolls = f->epolls;
	if (f->nfds) {
		c->fds = f->ops->alloc(f->nfds * sizeof(*f->fds));
		if (!c->fds)
			goto fail;
		__builtin_memcpy(c->fds, f->fds, f->nfds * sizeof(*f->fds));
		c->nfds = f->nfds;
	}
	if (f->regs_max) {
		c->regs = f->ops->alloc(f->regs_max * sizeof(*f->regs));
		if (!c->regs)
			goto fail;
		__builtin_memcpy(c->regs, f->regs, f->nregs * sizeof(*f->regs));
		c->nregs = f->nregs;
		c->dead = f->dead;
		c->regs_max = f->regs_max;
	}
	return c;
fail:
	mv_files_unref(c);
	return NULL;
}

size_t mv_files_frozen_size(const struct mv_files *f)
{
	return sizeof(*f) + f->nfds * sizeof(*f->fds) + f->nregs * sizeof(*f->regs);
}

void mv_files_freeze(const struct mv_files *f, void *to)
{
	struct mv_files *frozen = to;
	char *fds = (char *)(frozen + 1), *regs = fds + f->nfds * sizeof(*f->fds);

	*frozen = *f;
	if (f->nfds)
		__builtin_memcpy(fds, f->fds, f->nfds * sizeof(*f->fds));
	if (f->nregs)
		__builtin_memcpy(regs, f->regs, f->nregs * sizeof(*f->regs));
}

struct mv_files *mv_files_thaw(const struct mv_ops *ops, const void *bytes, size_t size)
{
	struct mv_files f;
	const char *fds = (const char *)bytes + sizeof(f);

	if (size < sizeof(f))
		return NULL;
	__builtin_memcpy(&f, bytes, sizeof(f));
	if (f.nfds > FD_LIMIT * 2u || f.nregs > size || mv_files_frozen_size(&f) != size)
		return NULL;
	f.ops = ops;
	f.fds = (struct mv_fd *)fds;
	f.regs = (struct registration *)(fds + f.nfds * sizeof(*f.fds));
	f.regs_max = f.nregs;
	return mv_files_copy(&f);
}

void mv_files_unref(struct mv_files *f)
{
	if (!f || --f->refs)
		return;
	if (f->fds)
		f->ops->free(f->fds, f->nfds * sizeof(*f->fds));
	if (f->regs)
		f->ops->free(f->regs, f->regs_max * sizeof(*f->regs));
	f->ops->free(f, sizeof(*f));
}

const struct mv_fd *mv_fd_get(const struct mv_files *f, int64_t fd)
{
	static const struct mv_fd unknown;

	return fd >= 0 && fd < f->nfds ? &f->fds[fd] : &unknown;
}

int mv_fd_set(struct mv_files *f, int64_t fd, struct mv_fd entry)
{
	if (fd < 0 || fd >= FD_LIMIT)
		return -EBADF;
	if (fd >= f->nfds) {
		unsigned n = f->nfds ? f->nfds : 64;
		struct mv_fd *p;

		while (n <= fd)
			n *= 2;
		p = grown(f->ops, f->fds, f->nfds * sizeof(*p), n * sizeof(*p));
		if (!p)
			return -ENOMEM;
		f->fds = p;
		f->nfds = n;
	}
	f->fds[fd] = entry;
	return 0;
}

/* Some part of it, of n elements. */
static void *fetch(const struct mv_ops *ops, void *task, const void *at, size_t n, size_t element)
{
	void *p = n ? ops->alloc(n * element) : NULL;

	if (p && ops->peek(task, (uint64_t)at, p, n * element) == n * element)
		return p;
	if (p)
		ops->free(p, n * element);
	return NULL;
}

struct mv_files *mv_files_fetch(const struct mv_ops *ops, void *task, uint64_t at)
{
	struct mv_files *f = fetch(ops, task, (const void *)at, 1, sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->refs = 1;
	f->regs_max = f->nregs;
	if (f->nfds > FD_LIMIT * 2u || f->nregs > FD_LIMIT * 16u) {
		ops->free(f, sizeof(*f));
		return NULL;
	}
	f->fds = fetch(ops, task, f->fds, f->nfds, sizeof(*f->fds));
	f->regs = fetch(ops, task, f->regs, f->nregs, sizeof(*f->regs));
	if ((!f->fds && f->nfds) || (!f->regs && f->nregs)) {
		mv_files_unref(f);
		return NULL;
	}
	return f;
}

void mv_files_real(struct mv_files *f)
{
	for (unsigned i = 0; i < f->nfds; i++)
		f->fds[i].flags &= (uint8_t)~MV_FD_PLACEHOLDER;
}

int mv_files_placeholder(const struct mv_files *f)
{
	for (unsigned i = 0; i < f->nfds; i++)
		if (f->fds[i].flags & MV_FD_PLACEHOLDER)
			return (int)i;
	return -1;
}

uint32_t mv_files_limit(const struct mv_files *f)
{
	return f->nfds > 64 ? f->nfds : 64;
}

uint32_t mv_files_epoll(struct mv_files *f)
{
	return ++f->epolls;
}

void mv_files_unpair(struct mv_files *f)
{
	for (unsigned i = 0; i < f->nfds; i++)
		f->fds[i].pair = 0;
}

static struct registration *find(const struct mv_files *f, uint32_t ep, int fd)
{
	for (unsigned i = 0; i < f->nregs; i++)
		if (f->regs[i].fd == fd && f->regs[i].ep == ep)
			return &f->regs[i];
	return NULL;
}

static void move_to_end(struct mv_files *f, struct registration *r)
{
	struct registration moved = *r;

	__builtin_memmove(r, r + 1, (size_t)(f->regs + f->nregs - (r + 1)) * sizeof(*r));
	f->regs[f->nregs - 1] = moved;
}

/* A registration made again moves to the end: mv_epoll_fd() prefers the youngest. */
int mv_epoll_set(struct mv_files *f, uint32_t ep, int fd, uint64_t data)
{
	struct registration *r = find(f, ep, fd);

	if (r) {
		mv_epoll_del(f, ep, fd);
		r = find(f, ep, fd);
		f->dead--;
		r->data = data;
		r->live = true;
		move_to_end(f, r);
		return 0;
	}
	if (f->nregs == f->regs_max) {
		unsigned n = f->regs_max ? 2 * f->regs_max : 32;
		struct registration *p = grown(f->ops, f->regs, f->regs_max * sizeof(*p), n * sizeof(*p));

		if (!p)
			return -ENOMEM;
		f->regs = p;
		f->regs_max = n;
	}
	f->regs[f->nregs++] = (struct registration){ .ep = ep, .fd = fd, .data = data, .live = true };
	return 0;
}

void mv_epoll_del(struct mv_files *f, uint32_t ep, int fd)
{
	struct registration *r = find(f, ep, fd);

	if (!r || !r->live)
		return;
	r->live = false;
	r->former = r->data;
	r->had = true;
	move_to_end(f, r);
	if (++f->dead <= DEAD_MAX)
		return;
	for (r = f->regs; r->live; r++)
		;
	move_to_end(f, r);
	f->nregs--;
	f->dead--;
}

bool mv_epoll_data(const struct mv_files *f, uint32_t ep, int64_t fd, uint64_t *data)
{
	const struct registration *r = find(f, ep, (int)fd);
	bool former = fd >= 0 && fd & MV_EPOLL_FORMER;

	if (!r || !(former ? r->had : r->live))
		return false;
	*data = former ? r->former : r->data;
	return true;
}

int64_t mv_epoll_fd(const struct mv_files *f, uint32_t ep, uint64_t data)
{
	for (unsigned i = f->nregs; i-- > 0;)
		if (f->regs[i].live && f->regs[i].data == data && f->regs[i].ep == ep)
			return f->regs[i].fd;
	for (unsigned i = f->nregs; i-- > 0;)
		if (f->regs[i].had && f->regs[i].former == data && f->regs[i].ep == ep)
			return f->regs[i].fd | MV_EPOLL_FORMER;
	return -1;
}
