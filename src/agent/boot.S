/*
 * The boot agent: makes a list of system calls inside the process (supervisor/boot.h says what and why).
 *
 * It is assembled into read-only data of the supervisor, which copies it into the process; so it must not refer to
 * anything outside of itself.  It uses no stack: the stack is one of the things it moves.
 */
	.section .rodata
	.globl mv_agent_image, mv_agent_image_size, mv_agent_ops_offset

	.set OP_SIZE, 64		/* struct mv_boot_op */
	.set OP_FLAGS, 56
	.set MAY_FAIL, 1
	.set GIVES_FD, 2
	.set MAPS_FD, 4
	.set CLOSES_FD, 8
	.set ELSEWHERE, 16

	.balign 16
	.type mv_agent_image, @object
mv_agent_image:
	lea	mv_agent_end(%rip), %r12
	mov	(%r12), %r13		/* how many */
	add	$8, %r12
	xor	%ebx, %ebx
1:	cmp	%r13, %rbx
	jae	3f			/* only if the last operation did not unmap this page */
	mov	0(%r12), %rax
	mov	8(%r12), %rdi
	mov	16(%r12), %rsi
	mov	24(%r12), %rdx
	mov	32(%r12), %r10
	mov	40(%r12), %r8
	mov	48(%r12), %r9
	mov	OP_FLAGS(%r12), %r14
	test	$MAPS_FD, %r14
	cmovnz	%r15, %r8
	test	$CLOSES_FD, %r14
	cmovnz	%r15, %rdi
	test	$ELSEWHERE, %r14
	jnz	4f
	syscall
	cmp	$-4095, %rax
	jb	2f
	test	$MAY_FAIL, %r14
	jz	3f
2:	test	$GIVES_FD, %r14
	cmovnz	%rax, %r15
	add	$OP_SIZE, %r12
	inc	%rbx
	jmp	1b
3:	int3
	jmp	3b
4:	jmp	*%r9
	.balign 16, 0xcc
mv_agent_end:
	.size mv_agent_image, . - mv_agent_image

	.balign 8
	.type mv_agent_image_size, @object
	.size mv_agent_image_size, 8
mv_agent_image_size:
	.quad	mv_agent_end - mv_agent_image
	.type mv_agent_ops_offset, @object
	.size mv_agent_ops_offset, 8
mv_agent_ops_offset:
	.quad	mv_agent_end - mv_agent_image

	.section .note.GNU-stack, "", @progbits
