/*
 * The program's own seccomp filters: kept by the engine for each thread and evaluated for the calls that the program makes.
 * The kernel never sees them, since it would hold the engine's calls against them as well.
 */
#ifndef MV_ENGINE_SECCOMP_H
#define MV_ENGINE_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>

/* struct sock_filter of linux/filter.h */
struct mv_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

#define MV_SECCOMP_INSNS_MAX 4096

/* A filter, and behind it the older ones of the thread.  Shared by threads that have inherited it. */
struct mv_seccomp;

/*
 * Put a filter of n instructions, which are copied, in front of old, to which the result has a reference.
 * 0; -EINVAL: the kernel would not take it; -ENOMEM, also where all of them together are longer than the kernel allows.
 */
int mv_seccomp_add(const struct mv_ops *ops, struct mv_seccomp *old, const struct mv_insn *insns, unsigned n,
		   struct mv_seccomp **result);
/* The instructions of the newest one alone, and how many they are. */
unsigned mv_seccomp_insns(const struct mv_seccomp *f, const struct mv_insn **insns);
/* NULL is no filter at all, here and below. */
struct mv_seccomp *mv_seccomp_ref(struct mv_seccomp *f);
void mv_seccomp_unref(const struct mv_ops *ops, struct mv_seccomp *f);
/* Is old what f was made from, or f itself? */
bool mv_seccomp_descends(const struct mv_seccomp *f, const struct mv_seccomp *old);

/* What all filters together say of a call: SECCOMP_RET_* with its data, SECCOMP_RET_ALLOW without filters. */
uint32_t mv_seccomp_run(const struct mv_seccomp *f, const struct mv_call *call);

/* As bytes, for an exec. */
size_t mv_seccomp_frozen_size(const struct mv_seccomp *f);
void mv_seccomp_freeze(const struct mv_seccomp *f, void *bytes);
/* 0 and *f, or -ENOMEM. */
int mv_seccomp_thaw(const struct mv_ops *ops, const void *bytes, size_t size, struct mv_seccomp **f);

#endif
