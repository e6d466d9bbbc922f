/*
 * The system-call table as the engine sees it.
 *
 * Everything here is generated at build time from data/syscalls.tsv, data/subcalls.tsv and data/structs.tsv by
 * tools/gen_table.py (docs/howto-add-a-syscall.md says how a row is written).  A row tells what a call's operands are,
 * so that gathering, comparing, replicating and printing need no code of their own for that call.
 */
#ifndef MV_ENGINE_TABLE_H
#define MV_ENGINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>

/* Who executes a call (design.md section 5). */
enum mv_class {
	MV_CLASS_NONE,		/* no such system call number: unsupported */
	MV_CLASS_LEADER,	/* the leader; result and outputs are replicated */
	MV_CLASS_LEADER_LOCAL,	/* as LEADER, but as ALLOVW when the descriptor argument is local to every variant */
	MV_CLASS_ALL,		/* every variant on its own operands; results stay the variant's own */
	MV_CLASS_ALLOVW,	/* every variant; the leader's result and outputs overwrite the followers' */
	MV_CLASS_LOCAL,		/* every variant, outside the stream */
	MV_CLASS_EMUL,		/* nobody; a hook answers from engine state */
	MV_CLASS_DENY,		/* nobody; fails with mv_desc.err */
	MV_CLASS_OWN,		/* no row has it, hooks choose it: every variant outside the stream, with its hook's functions */
};

/* What one argument is. */
enum mv_kind {
	MV_KIND_IGN,		/* not looked at */
	MV_KIND_U32,		/* low 32 bits compared */
	MV_KIND_U64,		/* 64 bits compared */
	MV_KIND_FD,		/* descriptor, low 32 bits compared */
	MV_KIND_DFD,		/* descriptor or AT_FDCWD */
	MV_KIND_ADDR,		/* address: compared as (mapping, offset) */
	MV_KIND_PTR,		/* pointer to output only: compared as null or not */
	MV_KIND_STR,		/* NUL-terminated string that is not a path */
	MV_KIND_PATH,		/* NUL-terminated path */
	MV_KIND_STRV,		/* NULL-terminated vector of strings */
	MV_KIND_BUF,		/* bytes, length by rule */
	MV_KIND_STRUCT,		/* structs[st], rule gives a count (MV_LEN_CONST 1 for one) */
	MV_KIND_IOV,		/* struct iovec array, count by rule; contents */
	MV_KIND_IOVLAY,		/* struct iovec array, count by rule; lengths only */
	MV_KIND_MSG,		/* struct msghdr, contents */
	MV_KIND_MSGLAY,		/* struct msghdr, lengths only */
	MV_KIND_MMSG,		/* struct mmsghdr array, count by rule; contents */
	MV_KIND_MMSGLAY,	/* struct mmsghdr array, count by rule; lengths only */
	MV_KIND_SOCKADDR,	/* socket address, length by rule, compared by family */
	MV_KIND_SIGSET,		/* kernel sigset: first min(8, length) bytes */
	MV_KIND_SIGARG,		/* pselect6's { sigset *, size } */
	MV_KIND_FDSET,		/* fd_set of as many bits as the rule's length, 8 * ceil(n / 64) bytes */
	MV_KIND_POLLFDS,	/* struct pollfd array, count by rule; fd and events compared */
};

/* How long an operand is.  "size" is mv_operand.size; A is the value of argument mv_operand.len_arg. */
enum mv_len {
	MV_LEN_CONST,		/* size */
	MV_LEN_ARG,		/* A * size */
	MV_LEN_ARG_PLUS,	/* A + size */
	MV_LEN_RET,		/* result * size */
	MV_LEN_RET_PLUS,	/* result + size */
	MV_LEN_MIN_RET_ARG,	/* min(result, A) */
	MV_LEN_RET_IF_ARG,	/* result when A != 0, else nothing (size queries) */
	MV_LEN_VALUE_RESULT,	/* min(*(u32 *)A before, *(u32 *)A after) */
	MV_LEN_BITS,		/* bytes of a node mask of A bits, of which the kernel drops one: 8 * ceil((A - 1) / 64), 0 for A = 0 */
	MV_LEN_PAGES,		/* one byte for each page: ceil(A / 4096) */
	MV_LEN_INT,		/* A, an int; 0 if that is negative */
	MV_LEN_MIN_INT,		/* min(size, A) likewise */
};

/* When an operand is there at all. */
enum mv_cond {
	MV_COND_ALWAYS,
	MV_COND_ANY,		/* (arg[cond_arg] & cond_mask) != 0 */
	MV_COND_NONE,		/* (arg[cond_arg] & cond_mask) == 0 */
	MV_COND_EQ,		/* (u32)arg[cond_arg] == cond_mask */
	MV_COND_SET,		/* arg[cond_arg] != 0, all 64 bits: another pointer is given */
};

struct mv_operand {
	uint8_t arg;		/* argument index 0..5 */
	uint8_t kind;		/* enum mv_kind */
	uint8_t len;		/* enum mv_len */
	uint8_t len_arg;
	uint16_t size;
	uint16_t st;		/* MV_KIND_STRUCT: index into mv_structs */
	uint8_t cond;		/* enum mv_cond */
	uint8_t cond_arg;
	bool even_on_error;	/* outputs: written also when the call fails */
	uint8_t reserved;
	uint32_t cond_mask;
};

/* What the result is. */
enum mv_ret {
	MV_RET_VALUE,		/* a number, the same in all variants */
	MV_RET_FD,		/* a new descriptor */
	MV_RET_ADDR,		/* an address, each variant's own */
	MV_RET_OWN,		/* each variant's own number */
};

/* mv_desc.flags */
enum {
	MV_DESC_BLOCKS = 1 << 0,	/* may wait for the outside world */
	MV_DESC_SIGPOINT = 1 << 1,	/* can make a signal deliverable at its own return (kill, sigprocmask ...) */
	MV_DESC_NORETURN = 1 << 2,	/* does not return on success (exit, exit_group) */
	MV_DESC_ORD_FD = 1 << 3,	/* takes part in the order of descriptor numbers */
	MV_DESC_ORD_MM = 1 << 4,	/* takes part in the order of address-space changes */
	MV_DESC_ORD_PROC = 1 << 5,	/* takes part in the order of process and credential changes */
	MV_DESC_CLONE = 1 << 6,		/* makes a task */
	MV_DESC_EXEC = 1 << 7,		/* replaces the program */
	MV_DESC_CMSG_FDS = 1 << 8,	/* may receive descriptors in control messages */
	MV_DESC_PSEUDO = 1 << 9,	/* not a kernel call: a fault, rdtsc ... */
	MV_DESC_HOLD = 1 << 10,		/* the leader goes on when all have done it too: it depends on the file system */
	MV_DESC_OPTIONAL = 1 << 11,	/* a variant may make it more or less often than the leader */
	MV_DESC_EARLY = 1 << 12,	/* a follower may make it before the leader does, see mv_go_early() */
	MV_DESC_ELASTIC = 1 << 13,	/* as OPTIONAL, but only where no optional call explains a difference */
	MV_DESC_PROT = 1 << 14,		/* its third argument may make memory executable (mv_exec_bit()): of group exec then */
	MV_DESC_PID = 1 << 15,		/* its first argument is a process or thread: with any but 0 it is of group exec */
	MV_DESC_CONTAINED = 1 << 16,	/* its effects stay inside of the variant that makes it: rules may name it */
	MV_DESC_SHADOWED = 1 << 17,	/* followers make it, too, where the descriptor is their shadow of a file */
	MV_DESC_TOLD = 1 << 18,		/* OPTIONAL or ELASTIC, and the program goes by what it is told: rather another one of these */
	MV_DESC_ALL = (1 << 19) - 1,
};

/* mv_desc.groups: what policies select on */
enum {
	MV_GROUP_EXEC = 1 << 0,		/* starts programs, makes memory executable, controls processes */
	MV_GROUP_PRIVILEGE = 1 << 1,	/* changes credentials, namespaces, kernel settings; acts on other processes */
	MV_GROUP_OUTPUT = 1 << 2,	/* sends bytes out */
	MV_GROUP_FILES = 1 << 3,	/* changes the file system */
	MV_GROUP_NETWORK = 1 << 4,	/* makes or accepts connections, binds */
	MV_GROUP_MEMORY = 1 << 5,	/* changes the address space */
	MV_GROUP_SIGNAL = 1 << 6,	/* sends or arranges signals */
};

/* What kind of object a call's new descriptor is; policies may tell kinds apart. */
enum mv_fdkind {
	MV_FDKIND_NONE,
	MV_FDKIND_FILE,
	MV_FDKIND_SOCKET,
	MV_FDKIND_PIPE,
	MV_FDKIND_TTY,
	MV_FDKIND_OTHER,	/* eventfd, epoll, timerfd, inotify, pidfd ... */
	MV_FDKIND_MAX
};

struct mv_hook;

/* One system call, or one selector of a multiplexed one (fcntl, ioctl, prctl ...). */
struct mv_desc {
	const char *name;	/* "openat"; selectors: "fcntl(F_DUPFD)" */
	uint8_t cls;		/* enum mv_class */
	uint8_t nargs;
	uint8_t nin, nout;
	uint8_t ret;		/* enum mv_ret */
	uint8_t fdkind;		/* enum mv_fdkind of the descriptor it makes */
	uint8_t fd_arg;		/* argument that decides LEADER_LOCAL and fd-kind policies; 0xff none */
	uint8_t sel_arg;	/* argument that selects a row of subs; 0xff none */
	uint16_t err;		/* DENY: errno */
	uint16_t nsubs;
	uint32_t flags;		/* MV_DESC_* */
	uint32_t groups;	/* MV_GROUP_* */
	uint64_t selector;	/* in a sub row: first selector value ... */
	uint64_t selector_last;	/* ... and last */
	const struct mv_operand *in;	/* nin of them, compared; one for each argument the table looks at */
	const struct mv_operand *out;	/* nout of them, replicated */
	const struct mv_desc *subs;	/* sorted by selector; full rows that stand instead of the parent's */
	const struct mv_hook *hook;	/* irregular part, NULL where the row says all */
	const char *why;	/* DENY: the reason, for messages and docs */
};

/* A struct whose padding must not be compared: the byte ranges that count. */
struct mv_struct_field {
	uint16_t offset, length;
	const char *name;
};
struct mv_struct {
	const char *name;
	uint16_t size;
	uint16_t nfields;
	const struct mv_struct_field *fields;
};

#define MV_TABLE_SIZE 512	/* kernel call numbers are below this */
#define MV_PSEUDO_BASE 0x1000	/* pseudo calls (rows with names in <angle brackets>) have numbers from here */
enum {
	MV_PSEUDO_FAULT = MV_PSEUDO_BASE,	/* a synchronous fault: args = signal, si_code */
	MV_PSEUDO_RDTSC,			/* rdtsc: result = counter */
	MV_PSEUDO_RDTSCP,			/* rdtscp: result = counter; CPU number in outputs is dropped */
	MV_PSEUDO_CPUID,			/* cpuid */
	MV_PSEUDO_BEGIN,			/* a new thread of a process begins */
	MV_PSEUDO_SPIN,				/* a loop without calls that waits for another thread: arg = how that was seen */
	MV_PSEUDO_ENTER,			/* a new process begins in a mount namespace of its own */
#define MV_SPIN_COUNTS 2u			/* in the argument: something changes in it */
	MV_PSEUDO_END
};

extern const struct mv_desc mv_table[MV_TABLE_SIZE];
extern const struct mv_desc mv_pseudo_table[MV_PSEUDO_END - MV_PSEUDO_BASE];
extern const struct mv_struct mv_structs[];
extern const unsigned mv_nstructs;

/* The row of this call: its selector's, if the selector has one of its own.  NULL: no such call. */
const struct mv_desc *mv_lookup(const struct mv_call *call);
/* level.c.  _level: what the policy says about a call whose row is d, made by a descriptor of that kind (enum mv_fdkind). */
uint32_t mv_exec_bit(uint32_t nr);	/* PROT_EXEC, or what shmat has for it */
enum mv_level mv_call_level(const struct mv_policy *p, const struct mv_desc *d, const struct mv_call *call, unsigned kind);
/*
 * Must whoever watches the variants from outside see to it that none of them makes this call before all have asked for it?
 * Those of the groups exec and privilege that the policy makes wait, whatever descriptor they are given.
 */
bool mv_call_is_sensitive(const struct mv_policy *p, const struct mv_call *call);
/* Does the operand's condition hold? */
bool mv_operand_there(const struct mv_operand *o, const uint64_t args[MV_NARGS]);
/*
 * The address of the signal mask that the call puts in place while it waits; 0 for calls without one.  peek reads the memory
 * of task as mv_ops.peek does.
 */
uint64_t mv_temporary_mask(const struct mv_call *call, size_t (*peek)(void *task, uint64_t addr, void *dst, size_t len),
			   void *task);

#endif
