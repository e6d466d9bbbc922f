/*
 * Code that takes the place of functions of libraries (standin.h).  Once with a system call that stops, once with the way into
 * the monitor inside of the variant.  Position independent, without data.
 */
#include <asm/errno.h>
#include <asm/unistd.h>
#include "monitor/abi.h"

	.macro CALL monitor
	.if \monitor
	lea	9f(%rip), %rcx		/* as a trampoline's end (trampoline.h): a signal may have the call made again */
	jmp	*%gs:MON_ENTRY
9:
	.else
	syscall
	.endif
	.endm

	.macro BLOB name
	.globl	\name, \name\()_end
	.hidden	\name, \name\()_end
\name:
	.endm

	/* int (OSSL_LIB_CTX *, unsigned char *buffer, size_t n, unsigned strength): 1, or 0 if it failed */
	.macro RANDOM name, monitor
	BLOB	\name
	mov	%rsi, %rdi
	mov	%rdx, %rsi
1:	test	%rsi, %rsi
	jz	2f
	mov	$__NR_getrandom, %eax
	xor	%edx, %edx
	CALL	\monitor
	cmp	$-EINTR, %rax
	je	1b
	test	%rax, %rax
	jle	3f
	add	%rax, %rdi
	sub	%rax, %rsi
	jmp	1b
2:	mov	$1, %eax
	ret
3:	xor	%eax, %eax
	ret
\name\()_end:
	.endm

	.section .rodata
	RANDOM	mv_standin_random_stop, 0
	RANDOM	mv_standin_random_monitor, 1
	.section .note.GNU-stack, "", @progbits
