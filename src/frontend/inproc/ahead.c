/*
 * The texts that nearly every program needs first, its loader's and libc's, are made while the run starts: by a thread on a CPU
 * that is idle then, since variants and supervisor share one (ptrace/affinity.c).  Whichever those are for the programs to come,
 * they are most likely ours, too.  Nobody depends on it: what is not here is made when it is asked for.
 *
 * The thread is gone before the first follower is made: that is done by a bare clone, which would leave the child the locks that
 * another thread holds at that moment.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "rewriting.h"

#define PAGE 4096u
#define STACK ((size_t)256 << 10)	/* whatever the limit for stacks is */

struct in_ahead {
	pthread_t thread;
	bool running;
	uint64_t seed;
	unsigned n;
	struct item {
		int fd;
		uint64_t offset, size;		/* of its text */
		struct in_key key;
		bool made;			/* the rest is filled; under lock */
		struct mv_plan plan;
		struct in_text *text;
	} items[2];				/* in the order in which they will be needed */
	pthread_mutex_t lock;
	pthread_cond_t done;
};

static void *make_all(void *arg)
{
	struct in_ahead *a = arg;

	for (unsigned i = 0; i < a->n; i++) {
		struct item *item = &a->items[i];

		in_plan_read(item->fd, &item->plan);
		item->text = in_text_make(&item->plan, item->fd, item->offset, item->size, a->seed);
		pthread_mutex_lock(&a->lock);
		item->made = true;
		pthread_cond_signal(&a->done);
		pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

/* ---- which ---- */

static void add_item(struct in_ahead *a, const struct dl_phdr_info *info)
{
	struct item *item = &a->items[a->n];

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		item->offset = ph->p_offset & ~(uint64_t)(PAGE - 1);
		item->size = ((ph->p_offset + ph->p_filesz + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - item->offset;
	}
	item->fd = item->size ? open(info->dlpi_name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	if (item->fd < 0)
		return;
	if (in_key_of(item->fd, &item->key))
		a->n++;
	else
		close(item->fd);
}

struct search { struct in_ahead *ahead; uintptr_t base, inside; };

static int is_it(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const struct search *s = ctx;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (info->dlpi_addr != s->base && s->inside - (info->dlpi_addr + ph->p_vaddr) >= ph->p_memsz)
			continue;
		add_item(s->ahead, info);
		return 1;
	}
	return 0;
}

static void choose(struct in_ahead *a)
{
	struct search loader = { a, getauxval(AT_BASE), 0 }, libc = { a, 0, (uintptr_t)getpid };

	/* Neither is there if we are linked statically. */
	if (!loader.base)
		return;
	dl_iterate_phdr(is_it, &loader);
	dl_iterate_phdr(is_it, &libc);
}

/* ---- the thread ---- */

static void begin(struct in_ahead *a, const cpu_set_t *cpus)
{
	pthread_attr_t attr;
	sigset_t all, mask;

	if (pthread_attr_init(&attr))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	a->running = !pthread_attr_setstacksize(&attr, STACK) && !pthread_attr_setaffinity_np(&attr, sizeof(*cpus), cpus) &&
		     !pthread_create(&a->thread, &attr, make_all, a);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	pthread_attr_destroy(&attr);
}

void in_ahead_start(struct pt *pt)
{
	struct in_ahead *a;
	cpu_set_t cpus = pt->cpus;
	int here = sched_getcpu();

	if (!pt->gathered || here < 0)
		return;
	CPU_CLR(here, &cpus);
	a = pt->inproc->ahead = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->seed = pt->secret[1];
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->done, NULL);
	choose(a);
	if (a->n)
		begin(a, &cpus);
}

bool in_ahead_take(struct pt *pt, struct in_plan *p)
{
	struct in_ahead *a = pt->inproc->ahead;

	for (unsigned i = 0; a && i < a->n; i++) {
		struct item *item = &a->items[i];

		if (memcmp(&p->key, &item->key, sizeof(p->key)))
			continue;
		pthread_mutex_lock(&a->lock);
		while (a->running && !item->made)
			pthread_cond_wait(&a->done, &a->lock);
		pthread_mutex_unlock(&a->lock);
		if (!item->made)
			return false;
		p->plan = item->plan;
		p->text = item->text;
		if (p->text)
			in_text_keep(pt, p->text);
		item->plan = (struct mv_plan){ 0 };
		item->text = NULL;
		item->made = false;
		return true;
	}
	return false;
}

void in_ahead_wait(struct pt *pt)
{
	struct in_ahead *a = pt->inproc->ahead;

	if (a && a->running)
		pthread_join(a->thread, NULL);
	for (unsigned i = 0; a && i < a->n; i++) {
		if (a->items[i].fd >= 0)
			close(a->items[i].fd);
		a->items[i].fd = -1;
	}
	if (a)
		a->running = false;
}

void in_ahead_end(struct pt *pt)
{
	struct in_ahead *a = pt->inproc->ahead;

	in_ahead_wait(pt);
	for (unsigned i = 0; a && i < a->n; i++) {
		if (a->items[i].text)
			in_text_discard(a->items[i].text);
		mv_plan_free(&a->items[i].plan);
	}
	if (a) {
		pthread_cond_destroy(&a->done);
		pthread_mutex_destroy(&a->lock);
	}
	free(a);
	pt->inproc->ahead = NULL;
}
