/*
 * The seccomp filter of a variant: calls from the gate of its monitor go to the kernel, all others stop.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "inproc.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

/* Places in the program, and how far it is from one instruction to another. */
enum { OUTSIDE = 10, COOKIE = 14, IMPORT = 18, CALL, OTHER_ARCH, ALLOW, SERVICE };
#define TO(from, to) ((to) - (from) - 1)

bool in_filter(struct pt *pt, unsigned variant)
{
	uint64_t gate = pt->inproc->images[variant].info.gate, cookie = pt->cookie;
	struct sock_filter code[] = {
		LOAD(instruction_pointer),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffff000),
		[2] = IF(gate, 0, TO(2, OUTSIDE)),
		LOAD_HIGH(instruction_pointer),
		[4] = IF(gate >> 32, 0, TO(4, OUTSIDE)),
		LOAD(arch),
		[6] = IF(AUDIT_ARCH_X86_64, 0, TO(6, OTHER_ARCH)),
		LOAD(nr),
		[8] = IF(MON_SERVICE_NR, TO(8, SERVICE), 0),
		[9] = IF(PT_IMPORT_NR, TO(9, COOKIE), TO(9, ALLOW)),
		[OUTSIDE] = LOAD(arch),
		[11] = IF(AUDIT_ARCH_X86_64, 0, TO(11, OTHER_ARCH)),
		LOAD(nr),
		[13] = IF(PT_IMPORT_NR, 0, TO(13, CALL)),
		[COOKIE] = LOAD(args[5]),
		[15] = IF(cookie, 0, TO(15, CALL)),
		LOAD_HIGH(args[5]),
		[17] = IF(cookie >> 32, 0, TO(17, CALL)),
		[IMPORT] = RETURN(SECCOMP_RET_USER_NOTIF),
		[CALL] = RETURN(SECCOMP_RET_TRACE | IN_CALL),
		[OTHER_ARCH] = RETURN(SECCOMP_RET_TRACE | IN_32BIT),
		[ALLOW] = RETURN(SECCOMP_RET_ALLOW),
		[SERVICE] = RETURN(SECCOMP_RET_TRACE | IN_SERVICE),
	};
	struct sock_fprog prog = { .filter = code, .len = sizeof(code) / sizeof(*code) };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) >= 0)
		return true;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) >= 0;
}
