/* The vDSO: found as programs find it that bring their own parser (Go, musl), called, unwound through. */
/* test: layouts */
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include "check.h"

struct vdso {
	const char *base, *strings;
	uint64_t size;
	const Elf64_Sym *symbols;
	const Elf64_Half *versions;
	const Elf64_Verdef *verdef;
	const uint32_t *hash, *gnu_hash;
	const char *soname;
};

/* The addresses in its dynamic section are as linked: nobody relocates it. */
static void parse(struct vdso *v, const char *base)
{
	const Elf64_Ehdr *eh = (const void *)base;
	const Elf64_Phdr *ph = (const void *)(base + eh->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	uint64_t soname = 0;

	memset(v, 0, sizeof(*v));
	v->base = base;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			v->size = ph[i].p_vaddr + ph[i].p_memsz;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_vaddr);
	}
	NEED(v->size && dyn);
	for (; dyn->d_tag; dyn++) {
		const void *at = base + dyn->d_un.d_ptr;

		switch (dyn->d_tag) {
		case DT_STRTAB: v->strings = at; break;
		case DT_SYMTAB: v->symbols = at; break;
		case DT_VERSYM: v->versions = at; break;
		case DT_VERDEF: v->verdef = at; break;
		case DT_HASH: v->hash = at; break;
		case DT_GNU_HASH: v->gnu_hash = at; break;
		case DT_SONAME: soname = dyn->d_un.d_val; break;
		}
	}
	NEED(v->strings && v->symbols && v->versions && v->verdef && (v->hash || v->gnu_hash));
	v->soname = v->strings + soname;
}

static bool is_linux_2_6(const struct vdso *v, unsigned symbol)
{
	const Elf64_Verdef *d = v->verdef;

	while (d->vd_ndx != (v->versions[symbol] & 0x7fff)) {
		if (!d->vd_next)
			return false;
		d = (const void *)((const char *)d + d->vd_next);
	}
	return !strcmp(v->strings + ((const Elf64_Verdaux *)(const void *)((const char *)d + d->vd_aux))->vda_name, "LINUX_2.6");
}

static bool is_it(const struct vdso *v, unsigned symbol, const char *name)
{
	const Elf64_Sym *s = &v->symbols[symbol];

	return s->st_shndx && ELF64_ST_TYPE(s->st_info) == STT_FUNC && !strcmp(v->strings + s->st_name, name) &&
	       is_linux_2_6(v, symbol);
}

static unsigned by_gnu_hash(const struct vdso *v, const char *name)
{
	const uint32_t *h = v->gnu_hash, *buckets = h + 4 + 2 * h[2], *chain = buckets + h[0];
	uint32_t hash = 5381;
	unsigned i;

	for (const char *p = name; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	for (i = buckets[hash % h[0]]; i; i++) {
		if ((chain[i - h[1]] | 1) == (hash | 1) && is_it(v, i, name))
			return i;
		if (chain[i - h[1]] & 1)
			break;
	}
	return 0;
}

static unsigned by_hash(const struct vdso *v, const char *name)
{
	const uint32_t *h = v->hash;
	uint32_t hash = 0, high;

	for (const char *p = name; *p; p++) {
		hash = (hash << 4) + (unsigned char)*p;
		high = hash & 0xf0000000;
		hash = (hash ^ high >> 24) & ~high;
	}
	for (uint32_t i = h[2 + hash % h[0]]; i; i = h[2 + h[0] + i])
		if (is_it(v, i, name))
			return i;
	return 0;
}

/* A newer kernel has no .hash, an older one no .gnu.hash. */
static const void *find(const struct vdso *v, const char *name)
{
	unsigned a = v->hash ? by_hash(v, name) : 0, b = v->gnu_hash ? by_gnu_hash(v, name) : 0;

	NEED(!v->hash || !v->gnu_hash || a == b);
	return a || b ? v->base + v->symbols[a ? a : b].st_value : NULL;
}

/* ---- its functions ---- */

typedef int clock_function(clockid_t, struct timespec *);
typedef int day_function(struct timeval *, struct timezone *);
typedef time_t time_function(time_t *);
typedef long cpu_function(unsigned *, unsigned *, void *);
typedef ssize_t random_function(void *, size_t, unsigned, void *, size_t);

struct params { uint32_t size, prot, flags, reserved[13]; };

static int64_t ns(const struct timespec *ts)
{
	return ts->tv_sec * INT64_C(1000000000) + ts->tv_nsec;
}

static void clocks(const struct vdso *v)
{
	clock_function *gettime = (clock_function *)find(v, "__vdso_clock_gettime");
	clock_function *getres = (clock_function *)find(v, "clock_getres");
	day_function *day = (day_function *)find(v, "gettimeofday");
	time_function *seconds = (time_function *)find(v, "__vdso_time");
	struct timespec before, between, after, res, kernel;
	struct timezone tz = { -1, -1 };
	struct timeval tv;
	time_t stored;

	NEED(gettime && getres && day && seconds);
	NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before) == 0);
	SHOW(gettime(CLOCK_MONOTONIC, &between));
	NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after) == 0);
	SHOW(ns(&before) <= ns(&between) && ns(&between) <= ns(&after));
	SHOW(gettime(1000, &between));
	NEED(clock_getres(CLOCK_MONOTONIC, &kernel) == 0);
	SHOW(getres(CLOCK_MONOTONIC, &res));
	SHOW(ns(&res) == ns(&kernel));
	SHOW(getres(CLOCK_MONOTONIC, NULL));
	SHOW(day(&tv, &tz));
	SHOW(labs(tv.tv_sec - time(NULL)) <= 1 && tv.tv_usec < 1000000);
	SHOW(tz.tz_minuteswest);
	SHOW(seconds(&stored) == stored);
	SHOW(labs(seconds(NULL) - tv.tv_sec) <= 1);
}

static void processor(const struct vdso *v)
{
	cpu_function *getcpu_ = (cpu_function *)find(v, "__vdso_getcpu");
	unsigned cpu = ~0u, node = ~0u;
	char name[64];

	NEED(getcpu_);
	SHOW(getcpu_(&cpu, &node, NULL));
	SHOW(cpu < 65536 && node < 65536);
	SHOW(getcpu_(NULL, NULL, NULL));
	/* All variants must ask for the same name. */
	snprintf(name, sizeof(name), "cpu-%u", cpu);
	OUTCOME(access(name, F_OK));
}

/* From Linux 6.11 on: what glibc 2.41 and Go 1.24 do. */
static void numbers(const struct vdso *v)
{
	random_function *draw = (random_function *)find(v, "__vdso_getrandom");
	struct params p = { .reserved = { 1, 2, 3 } };
	unsigned char bytes[32] = { 0 }, zeros[32] = { 0 };
	char name[64];
	void *state;

	if (draw) {
		NEED(draw(NULL, 0, 0, &p, ~(size_t)0) == 0);
		NEED(p.size && p.size <= 4096 && !p.reserved[0] && !p.reserved[1] && !p.reserved[2]);
		state = mmap(NULL, 4096, (int)p.prot, (int)p.flags, -1, 0);
		NEED(state != MAP_FAILED);
		NEED(draw(bytes, sizeof(bytes), 0, state, p.size) == sizeof(bytes));
		NEED(draw(NULL, 0, 0, state, p.size) == 0);
	} else {
		NEED(syscall(SYS_getrandom, bytes, sizeof(bytes), 0) == sizeof(bytes));
	}
	SHOW(memcmp(bytes, zeros, sizeof(bytes)) != 0);
	snprintf(name, sizeof(name), "random-%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
	OUTCOME(access(name, F_OK));
}

/* ---- what others see of it ---- */

static int listed(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	return info->dlpi_addr == (uintptr_t)base && info->dlpi_phnum > 1;
}

static bool in_maps(const char *base)
{
	uintptr_t start = 0;

	return is_mapped(base, "r-xp", "[vdso]", &start) && start == (uintptr_t)base;
}

/* ---- signals that find the program in it ---- */

static struct vdso vdso;
static clock_function *gettime;
static volatile sig_atomic_t inside, unwound, handled;

__attribute__((noinline)) static int calls_it(struct timespec *ts)
{
	int r = gettime(CLOCK_MONOTONIC, ts);

	__asm__ volatile("" : : : "memory");
	return r;
}

static void on_alarm(int sig)
{
	void *frames[32];
	int n = backtrace(frames, 32);
	bool in = false;

	(void)sig;
	handled++;
	for (int i = 0; i < n; i++) {
		const char *pc = frames[i];
		bool was = in;

		if (was && pc > (const char *)(uintptr_t)calls_it && pc < (const char *)(uintptr_t)calls_it + 64)
			unwound++;
		in = pc >= vdso.base && pc < vdso.base + vdso.size;
		inside += in && !was;		/* its functions may have functions of their own */
	}
}

static void under_signals(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	struct timespec now, last = { 0, 0 };
	int odd = 0;
	void *frame;

	backtrace(&frame, 1);		/* loads the unwinder */
	on_signal(SIGALRM, on_alarm, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (handled < 20 || !inside) {
		odd += calls_it(&now) != 0 || ns(&now) < ns(&last);
		last = now;
	}
	memset(&it, 0, sizeof(it));
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	SHOW(odd);
	SHOW(inside > 0);
	SHOW(unwound == inside);
}

/* ---- filters of the program, which do not see what takes no call ---- */

#define REFUSE(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EUNATCH)

static void under_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_clock_gettime), REFUSE(SYS_time), REFUSE(SYS_getcpu),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };
	time_function *seconds = (time_function *)find(&vdso, "time");
	cpu_function *getcpu_ = (cpu_function *)find(&vdso, "getcpu");
	struct timespec ts;

	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	SHOW(gettime(CLOCK_MONOTONIC_COARSE, &ts));
	SHOW(gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == -EUNATCH);	/* has to ask the kernel */
	SHOW(seconds(NULL) > 0);
	SHOW(getcpu_(NULL, NULL, NULL));
	OUTCOME(syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &ts));
	OUTCOME(syscall(SYS_time, NULL));
}

int main(void)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);

	if (!base) {
		puts("the kernel has no vDSO");
		return 77;
	}
	SHOW(memcmp(base, ELFMAG, SELFMAG));
	parse(&vdso, base);
	puts(vdso.soname);
	gettime = (clock_function *)find(&vdso, "clock_gettime");
	SHOW(gettime == (clock_function *)find(&vdso, "__vdso_clock_gettime"));
	SHOW(find(&vdso, "no_such_function") == NULL);
	clocks(&vdso);
	processor(&vdso);
	numbers(&vdso);
	SHOW(dl_iterate_phdr(listed, (void *)(uintptr_t)base));
	SHOW(in_maps(base));
	under_signals();
	under_filter();
	return 0;
}
