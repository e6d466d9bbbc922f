/*
 * A library of calls that come directly from it, in the two forms in which they are found: calls_getppid() sets the number
 * right before the call, calls_any(nr) does not.  And of a look at the time stamp counter.
 */
	.text
	.globl	calls_getppid
	.type	calls_getppid, @function
calls_getppid:
	.cfi_startproc
	mov	$110, %eax
	syscall
	ret
	.cfi_endproc
	.size	calls_getppid, . - calls_getppid

	.balign	16
	.globl	calls_any
	.type	calls_any, @function
calls_any:
	.cfi_startproc
	mov	%rdi, %rax
	syscall
tail:	cmp	$-4095, %rax
	jae	1f
	ret
1:	mov	$-1, %rax
	ret
	.cfi_endproc
	.size	calls_any, . - calls_any

	.balign	16
	.globl	calls_look		/* the time stamp counter */
	.type	calls_look, @function
calls_look:
	.cfi_startproc
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	ret
	.cfi_endproc
	.size	calls_look, . - calls_look

	.section .rodata
	.globl	calls_any_tail		/* bytes from calls_any to what follows its call; no branch leads there */
	.type	calls_any_tail, @object
calls_any_tail:
	.quad	tail - calls_any
	.size	calls_any_tail, 8

	.section .note.GNU-stack, "", @progbits
