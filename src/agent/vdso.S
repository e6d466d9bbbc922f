/*
 * The vDSO that programs find instead of the kernel's: the same names, each a system call that all variants agree on.  Built
 * twice: functions that go to the monitor inside of the variant (inproc), as a rewritten call does, and functions that make
 * the system call and stop there (ptrace).
 */
#include <asm/unistd.h>
#include "monitor/abi.h"

	.macro FUNCTION name
	.globl	__vdso_\name
	.weak	\name
	.type	__vdso_\name, @function
	.type	\name, @function
	.balign	16, 0xcc
__vdso_\name:
\name:
	.cfi_startproc
	.endm

	.macro END name
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
	.size	\name, . - __vdso_\name
	.endm

	/* The end of a function that does what a system call does; its arguments are where the call has them. */
	.macro CALL nr
	mov	$\nr, %eax
#ifdef MV_VDSO_MONITOR
	lea	1f(%rip), %rcx		/* as a trampoline's end (rewrite/trampoline.h): a signal may have the call made again */
	jmp	*%gs:MON_ENTRY
1:	ret
#else
	syscall
	ret
#endif
	.endm

	.macro PLAIN name, nr
	FUNCTION \name
	CALL	\nr
	END	\name
	.endm

	.text
	PLAIN	clock_gettime, __NR_clock_gettime
	PLAIN	clock_getres, __NR_clock_getres
	PLAIN	gettimeofday, __NR_gettimeofday
	PLAIN	time, __NR_time
	PLAIN	getcpu, __NR_getcpu

/*
 * ssize_t getrandom(buffer, size, flags, state, state_size).  With a state_size of ~0 and nothing else it fills the struct
 * vgetrandom_opaque_params at state: how much state a thread needs, and how that is mapped.  The kernel's function draws from
 * the state without a call; all variants must draw the same, so this one always makes the call, and leaves the state alone.
 */
#define STATE_SIZE 64
#define STATE_PROT 3		/* PROT_READ | PROT_WRITE */
#define STATE_FLAGS 0x22	/* MAP_PRIVATE | MAP_ANONYMOUS */
#define RESERVED 13		/* words behind those three */
	FUNCTION getrandom
	cmp	$-1, %r8
	jne	2f
	mov	%rdi, %rax
	or	%rsi, %rax
	jnz	2f
	test	%edx, %edx
	jz	3f
2:	CALL	__NR_getrandom
3:	movl	$STATE_SIZE, (%rcx)
	movl	$STATE_PROT, 4(%rcx)
	movl	$STATE_FLAGS, 8(%rcx)
	lea	12(%rcx), %rdi
	mov	$RESERVED, %ecx
	xor	%eax, %eax
	rep stosl
	ret
	END	getrandom

	.section .note.GNU-stack, "", @progbits
