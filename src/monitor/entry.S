/*
 * How a thread gets from the program into the monitor and back, and from the monitor into the kernel.
 */
#include "monitor/macros.inc"

	/* Registers from the struct mv_call that rdi points to. */
	.macro LOAD_CALL
	mov	0(%rdi), %eax
	mov	16(%rdi), %rsi
	mov	24(%rdi), %rdx
	mov	32(%rdi), %r10
	mov	40(%rdi), %r8
	mov	48(%rdi), %r9
	mov	8(%rdi), %rdi
	.endm

/* ---- the gate: the only page from where the seccomp filter lets calls through ---- */

	.section .gate, "ax", @progbits
	.balign 4096
FUNCTION mon_gate_start

/* long mon_gate(const struct mv_call *): a call of the program's.  Given up (-ERESTARTNOINTR) when a signal is there. */
FUNCTION mon_gate
	LOAD_CALL
FUNCTION mon_gate_check
	cmpl	$0, %gs:MON_PENDING
	jne	mon_gate_abort
FUNCTION mon_gate_insn
	syscall
FUNCTION mon_gate_after
	ret
FUNCTION mon_gate_abort
	mov	$-513, %rax
	ret

/* Where the supervisor lets a call of mon_gate() end that has opened what may not be open: it is closed, -EACCES. */
FUNCTION mon_gate_refuse
	syscall
	mov	$-13, %rax
	ret

/* long mon_gate_on_stack(const struct mv_call *, rsp): the stack is not used */
FUNCTION mon_gate_on_stack
	push	%rbx
	mov	%rsp, %rbx
	mov	%rsi, %rsp
	mov	0(%rdi), %eax
	mov	16(%rdi), %rsi
	mov	8(%rdi), %rdi
	syscall
	mov	%rbx, %rsp
	pop	%rbx
	ret

/* long mon_kernel(nr, a, b, c, d, e): a call of our own */
FUNCTION mon_kernel
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	xor	%r9d, %r9d
FUNCTION mon_kernel_insn
	syscall
	ret

/* long mon_kernel_call(const struct mv_call *): likewise, with six arguments */
FUNCTION mon_kernel_call
	LOAD_CALL
	syscall
	ret

/* long mon_clone(const struct mv_call *): a clone whose child shares our memory.  The supervisor sets the child's %gs. */
FUNCTION mon_clone
	LOAD_CALL
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	mov	%gs:MON_FRAME, %rsp
	xor	%ebp, %ebp
	call	mon_child		/* the frame holds what the program sees */
	hlt

/* void mon_sigreturn(uint64_t context) */
FUNCTION mon_sigreturn
	mov	%rdi, %rsp
	mov	$15, %eax
	syscall
FUNCTION mon_sigreturn_after
	hlt

/* void mon_last_open(service, a, b, c): the supervisor gives the thread other registers */
FUNCTION mon_last_open
	mov	%rcx, %r10
FUNCTION mon_last_call
	mov	$MON_SERVICE_NR, %eax
	syscall
	hlt

/* void mon_exit_thread(int status): from here on the thread's memory may be another's */
FUNCTION mon_exit_thread
	movl	$0, %gs:MON_INUSE
	mov	$60, %eax
	syscall
	hlt
	.balign 4096, 0xcc
FUNCTION mon_gate_end

/* ---- in and out ---- */

	.text
/* The monitor's first instruction, behind the call that has unmapped the boot agent: rax = its result. */
FUNCTION mon_start
	mov	%rax, %rdi
	xor	%ebp, %ebp
	call	mon_begin
	hlt

/*
 * rcx = return address, rax = number, all else is the program's.  Its stack is not touched: there may be a red zone, or no
 * room.
 */
FUNCTION mon_entry
	mov	%rsp, %gs:MON_SAVED_RSP
	mov	%gs:MON_FRAME, %rsp
	mov	%rax, FRAME_RAX(%rsp)
	mov	%rcx, FRAME_RIP(%rsp)
	mov	%rdx, FRAME_RDX(%rsp)
	SAVE_MOST
	pushfq
	popq	%rax
	mov	%rax, FRAME_FLAGS(%rsp)
	mov	%gs:MON_SAVED_RSP, %rax
	mov	%rax, FRAME_RSP(%rsp)
	cld
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	call	mon_call
	jmp	mon_exit
/* void mon_leave_open(void) */
FUNCTION mon_leave_open
	mov	%gs:MON_FRAME, %rsp
/* rsp = the frame */
FUNCTION mon_exit
	mov	FRAME_FLAGS(%rsp), %ecx
	test	$OTHER_FLAGS, %ecx
	jnz	1f
	LOAD_FLAGS
	jmp	2f
1:	pushq	FRAME_FLAGS(%rsp)
	popfq
2:	LOAD_MOST
	mov	FRAME_RDX(%rsp), %rdx
	mov	FRAME_FLAGS(%rsp), %r11
	mov	FRAME_RIP(%rsp), %rcx
	mov	FRAME_RAX(%rsp), %rax
	mov	FRAME_RSP(%rsp), %rsp
	jmp	*%rcx

/* rdtsc: rax = the address behind it, all else is the program's and stays so.  Makes a struct mon_regs. */
FUNCTION mon_look
	mov	%rsp, %gs:MON_SAVED_RSP
	mov	%gs:MON_FRAME, %rsp
	pushq	%gs:MON_SAVED_RSP
	pushfq
	.irp reg, rax, r11, rcx, rax, r9, r8, r10, rdx, rsi, rdi, rbp, rbx, r12, r13, r14, r15
	push	%\reg
	.endr
	cld
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	call	mon_looks
	hlt

/*
 * void mon_leave_to_open(const struct mon_regs *)
 *
 * No iretq: QEMU 7.2, emulating, lets one that a program makes read the stack as the kernel, and with SMAP the guest oopses.
 */
FUNCTION mon_leave_to_open
	mov	%rdi, %rsp
	mov	REGS_RIP(%rdi), %rax
	mov	%rax, %gs:MON_BACK
	.irp reg, r15, r14, r13, r12, rbx, rbp, rdi, rsi, rdx, r10, r8, r9, rax, rcx, r11
	pop	%\reg
	.endr
	lea	8(%rsp), %rsp
	popfq
	pop	%rsp
	jmp	*%gs:MON_BACK

/*
 * size_t mon_copy(void *to, const void *from, size_t n): from or to the program's memory; how many bytes could not be copied.
 * The supervisor makes a fault in the words go on byte by byte, and any other fault in here the end.
 */
FUNCTION mon_copy
	mov	%rdx, %rcx
	cmp	$64, %rcx
	jae	2f
	/* rep movsb takes long to start */
1:	cmp	$8, %rcx
	jb	3f
	mov	(%rsi), %rax
	mov	%rax, (%rdi)
	add	$8, %rsi
	add	$8, %rdi
	sub	$8, %rcx
	jmp	1b
FUNCTION mon_copy_bytes
3:	test	%rcx, %rcx
	jz	mon_copy_end
	movzbl	(%rsi), %eax
	mov	%al, (%rdi)
	inc	%rsi
	inc	%rdi
	dec	%rcx
	jmp	3b
2:	rep movsb
FUNCTION mon_copy_end
	mov	%rcx, %rax
	ret
FUNCTION mon_copy_fault
	mov	%rcx, %rax
	ret

	.section .note.GNU-stack, "", @progbits
