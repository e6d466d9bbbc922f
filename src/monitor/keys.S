/*
 * The ways in and out where the monitor's memory has a protection key (abi.h), beside those of entry.S: it is closed in the program
 * and open in the monitor.  All other bits of PKRU are the program's and stay as they are.
 *
 * wrpkru takes eax, ecx and edx, and the kernel's calls leave only rcx and r11 to us: what is in the way lies in the thread's scratch,
 * which is memory like the program's own.  It holds nothing that the program could not have had in its registers; whoever
 * changes it changes his own.
 *
 * A program that jumps to one of these wrpkru, with registers of its own, must gain nothing: behind one that opens the way leads
 * into the monitor only, if gs is a thread's; behind one that closes only on if it is closed.
 *
 * Where the program has closed key 0 to itself the first access to the scratch faults, and the supervisor fills the frame.
 */
#include "monitor/macros.inc"

	.set SCRATCH_RAX, MON_SCRATCH
	.set SCRATCH_RCX, MON_SCRATCH + 8
	.set SCRATCH_RDX, MON_SCRATCH + 16
	.set SCRATCH_RSP, MON_SCRATCH + 24
	.set SCRATCH_RIP, MON_SCRATCH + 32
	.set SCRATCH_FLAGS, MON_SCRATCH + 40

	/* Changes rax, rcx, rdx and arithmetic flags. */
	.macro OPEN
	xor	%ecx, %ecx
	rdpkru
	and	$(0xffffffff ^ MON_KEY_BITS), %eax
	wrpkru
	rdgsbase %rax
	lea	mon_heads(%rip), %rcx
	sub	%rcx, %rax
	test	$~(MON_ENTRIES - MON_HEAD_SIZE), %rax
	jnz	mon_die
	.endm

	.macro OPEN_USED
	OPEN
	cmpl	$0, %gs:MON_INUSE
	je	mon_die
	.endm

	/* Changes rax, rcx, rdx and arithmetic flags: no memory of the monitor's may be needed behind it. */
	.macro CLOSE
	xor	%ecx, %ecx
	rdpkru
	or	$MON_KEY_CLOSED, %eax
	wrpkru
	test	$MON_KEY_CLOSED, %eax
	jz	mon_die
	.endm

	/* Flags on the stack: the arithmetic ones are what lahf and seto %al have put into r11.  Changes rax and r11. */
	.macro MERGE_FLAGS
	andq	$~0x8d5, (%rsp)
	movzbl	%r11b, %eax
	shl	$11, %eax		/* overflow */
	or	%rax, (%rsp)
	shr	$8, %r11d
	and	$0xd5, %r11d		/* sign, zero, adjust, parity, carry */
	or	%r11, (%rsp)
	.endm

	.text
/* A thread that has come to an instruction in the midst of these. */
FUNCTION mon_die
	hlt

/* mon_start: rax = result of the call before.  Goes on once in a process. */
FUNCTION mon_start_closed
	mov	%rax, %rdi
	OPEN
	mov	%rdi, %rax
	jmp	mon_start

/* mon_entry.  The supervisor knows what the first instruction is. */
FUNCTION mon_entry_closed
	mov	%rax, %gs:SCRATCH_RAX
	mov	%rcx, %gs:SCRATCH_RCX
	mov	%rdx, %gs:SCRATCH_RDX
	lahf
	seto	%al
	mov	%eax, %r11d
	OPEN_USED
	mov	%rsp, %gs:MON_SAVED_RSP
	mov	%gs:MON_FRAME, %rsp
	pushfq
	MERGE_FLAGS
	popq	%rax
	mov	%rax, FRAME_FLAGS(%rsp)
	mov	%gs:SCRATCH_RAX, %rax
	mov	%gs:SCRATCH_RCX, %rcx
	mov	%gs:SCRATCH_RDX, %rdx
	mov	%rax, FRAME_RAX(%rsp)
	mov	%rcx, FRAME_RIP(%rsp)
	mov	%rdx, FRAME_RDX(%rsp)
	SAVE_MOST
	mov	%gs:MON_SAVED_RSP, %rax
	mov	%rax, FRAME_RSP(%rsp)
1:	cld
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	call	mon_call
	jmp	mon_leave_closed

/* ... the frame is filled, by the supervisor */
FUNCTION mon_filled_closed
	OPEN_USED
	mov	%gs:MON_FRAME, %rsp
	jmp	1b

/* The supervisor sends a thread to one of three functions: r11 = which, rdi, rsi, r8 = arguments */
FUNCTION mon_send_closed
	OPEN_USED
	mov	%gs:MON_FRAME, %rsp
	mov	%r8, %rdx
	xor	%ebp, %ebp
	cld
	cmp	$MON_SEND_PSEUDO, %r11
	jb	2f
	je	3f
	call	mon_counter
2:	call	mon_async
3:	call	mon_pseudo

/* void mon_leave_closed(void): the frame's registers */
FUNCTION mon_leave_closed
	mov	%gs:MON_FRAME, %rsp
	mov	FRAME_FLAGS(%rsp), %r11
	test	$OTHER_FLAGS, %r11d
	jnz	4f
	xor	%ecx, %ecx
	rdpkru
	test	$3, %al			/* there is no scratch */
	jnz	4f
	mov	FRAME_RAX(%rsp), %rax
	mov	FRAME_RIP(%rsp), %rcx
	mov	FRAME_RDX(%rsp), %rdx
	mov	%rax, %gs:SCRATCH_RAX
	mov	%rcx, %gs:SCRATCH_RCX
	mov	%rdx, %gs:SCRATCH_RDX
	LOAD_MOST
	mov	FRAME_RSP(%rsp), %rsp
	CLOSE
	mov	%r11d, %ecx
	LOAD_FLAGS
	mov	%gs:SCRATCH_RDX, %rdx
	mov	%gs:SCRATCH_RCX, %rcx
	mov	%gs:SCRATCH_RAX, %rax
	jmp	*%rcx
4:	mov	$MON_LEAVE_NR, %edi
	/* fall through */
/* void mon_last_closed(service, a, b, c) */
FUNCTION mon_last_closed
	mov	%rdx, %r9
	mov	%rcx, %r10
	CLOSE
	mov	%r9, %rdx
	jmp	mon_last_call

/* mon_look: rax = the address behind rdtsc, all else is the program's and stays so, flags included */
FUNCTION mon_look_closed
	mov	%rax, %gs:SCRATCH_RIP
	mov	%rcx, %gs:SCRATCH_RCX
	mov	%rdx, %gs:SCRATCH_RDX
	lahf
	seto	%al
	mov	%eax, %gs:SCRATCH_FLAGS
	OPEN_USED
	mov	%rsp, %gs:MON_SAVED_RSP
	mov	%gs:MON_FRAME, %rsp
	pushq	%gs:MON_SAVED_RSP
	pushfq
	mov	%r11, %rcx
	mov	%gs:SCRATCH_FLAGS, %r11d
	MERGE_FLAGS
	mov	%rcx, %r11
	pushq	%gs:SCRATCH_RIP
	push	%r11
	pushq	%gs:SCRATCH_RCX
	push	%rax			/* what rdtsc changes */
	.irp reg, r9, r8, r10
	push	%\reg
	.endr
	pushq	%gs:SCRATCH_RDX
	.irp reg, rsi, rdi, rbp, rbx, r12, r13, r14, r15
	push	%\reg
	.endr
	cld
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	call	mon_looks
	hlt

/* void mon_leave_to_closed(const struct mon_regs *) */
FUNCTION mon_leave_to_closed
	mov	%rdi, %rsp
	.irp reg, r15, r14, r13, r12, rbx, rbp, rdi, rsi
	pop	%\reg
	.endr
	popq	%gs:SCRATCH_RDX
	.irp reg, r10, r8, r9
	pop	%\reg
	.endr
	popq	%gs:SCRATCH_RAX
	popq	%gs:SCRATCH_RCX
	pop	%r11
	popq	%gs:SCRATCH_RIP
	popq	%gs:SCRATCH_FLAGS
	popq	%gs:SCRATCH_RSP
	CLOSE
	rdgsbase %rsp
	lea	SCRATCH_FLAGS(%rsp), %rsp
	popfq
	mov	%gs:SCRATCH_RAX, %rax
	mov	%gs:SCRATCH_RCX, %rcx
	mov	%gs:SCRATCH_RDX, %rdx
	mov	%gs:SCRATCH_RSP, %rsp
	jmp	*%gs:SCRATCH_RIP
FUNCTION mon_keys_end

	.section .note.GNU-stack, "", @progbits
