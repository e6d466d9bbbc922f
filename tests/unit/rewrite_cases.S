/*
 * Calls in all the places that rewriting has to get right.  Each is a function; test_rewrite.c has a row for each that says
 * what the plan must be.  Numbers come in edi where P1 is to be ruled out.
 */
.macro begin name
	.p2align 4
	.type \name, @function
\name:
	.cfi_startproc
.endm

.macro end name
	.cfi_endproc
	.size \name, . - \name
.endm

	.text

begin p1
	mov $39, %eax
	syscall
	ret
end p1

begin p1_branch_to_syscall
	mov $39, %eax
1:	syscall
	cmp $-4, %eax
	je 1b
	ret
end p1_branch_to_syscall

begin p1_rip
	xor %eax, %eax
	mov $1, %dl
	lea number(%rip), %rsi
	syscall
	ret
end p1_rip

begin p1_rip_immediate
	mov $39, %eax
	imul $1000, number(%rip), %edx
	syscall
	ret
end p1_rip_immediate

begin p1_twice
	mov $39, %eax
	syscall
	mov %rax, %rsi
	mov $110, %eax
	syscall
	add %rsi, %rax
	ret
end p1_twice

	/* A branch into the instruction: an opcode in an immediate. */
begin f_branch_into_mov
	cmp $1, %esi
	je 1f + 1
1:	mov $0x90909090, %edx
	syscall
	cmp $-4096, %rax
	ret
end f_branch_into_mov

	/* As in libc: a branch over the lock prefix. */
begin f_lock
	mov %edi, %eax
	cmp $1, %esi
	je 1f
	lock
1:	orl $0, number(%rip)
	syscall
	cmp $-4096, %rax
	ret
end f_lock

	/* The branch over it may be one that only a register knows. */
begin f_lock_alone
	mov %edi, %eax
	lock
	orl $0, number(%rip)
	syscall
	cmp $-4096, %rax
	ret
end f_lock_alone

begin f
	mov %edi, %eax
	syscall
	cmp $-4095, %rax
	jae 1f
	ret
1:	mov $-1, %rax
	ret
end f

begin f_rip
	mov %edi, %eax
	syscall
	mov number(%rip), %rdx
	mov %rdx, %rax
	ret
end f_rip

begin f_jcc
	mov %edi, %eax
	syscall
	test %eax, %eax
	js 1f
	ret
1:	mov $-1, %rax
	ret
end f_jcc

begin f_jcc_back
1:	mov %edi, %eax
	syscall
	cmp %eax, %esi
	je 1b
	ret
end f_jcc_back

begin f_loop
	mov %edi, %eax
1:	syscall
	cmp %eax, %esi
	je 1b
	ret
end f_loop

begin f_jmp
	mov %edi, %eax
	syscall
	jmp f_jmp_end
	.nops 1
end f_jmp
	.p2align 4, 0x90

begin f_three
	mov %edi, %eax
	syscall
	push %rbx
	pop %rbx
	cld
	ret
end f_three

begin f_ret
	mov %edi, %eax
	syscall
	ret
end f_ret
	.p2align 4

begin f_indirect
	lea f_jmp_end(%rip), %rsi
	mov %edi, %eax
	syscall
	jmp *%rsi
	.nops 3
end f_indirect

begin f_branch_from_far
	mov %edi, %eax
	syscall
	cmp $-4096, %rax
	ret
end f_branch_from_far

begin target
	mov %edi, %eax
	syscall
1:	dec %esi
	jns 1b
	ret
end target

begin target_from_far
	mov %edi, %eax
	syscall
	cltq
	ret
	.nops 1
end target_from_far

begin prefix
	mov $39, %eax
	.byte 0x48, 0x0f, 0x05
	ret
end prefix

begin sigreturn
	mov $15, %rax
	syscall
	ret
end sigreturn

begin sigreturn_branch
	test %edi, %edi
	js 1f
	mov $15, %eax
1:	syscall
	ret
end sigreturn_branch

	/* No displaced call: its return address would be the trampoline's. */
begin call
	mov %edi, %eax
	syscall
	call f
	ret
end call

	/* Behind a return, what is no padding may be data. */
begin data_behind_ret
	mov %edi, %eax
	syscall
	ret
	.byte 0x31, 0xc0, 0x31, 0xc0
end data_behind_ret

begin next_is_syscall
	mov %edi, %eax
	syscall
	syscall
	cmp $-4096, %rax
	ret
end next_is_syscall

begin neighbour
	mov %edi, %eax
	syscall
	mov $39, %eax
	syscall
	ret
end neighbour

begin at_end_padded
	mov %edi, %eax
	syscall
end at_end_padded
	.p2align 4, 0x90

begin at_end
	mov %edi, %eax
	syscall
end at_end
	/* No padding in between. */
	.type behind_end, @function
behind_end:
	.cfi_startproc
	nop
	nop
	nop
	ret
end behind_end

	/* What looks like a call and is none: behind a jump, after bytes that swallow what comes behind, in an immediate. */
begin data
	jmp 1f
	.byte 0x0f, 0x05, 0x90, 0x90, 0x90, 0x90, 0x48, 0xb8
1:	mov $39, %eax
	syscall
	mov $0x050f, %ecx
	ret
end data

begin counter
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	ret
end counter

begin counter_p1
	lea number(%rip), %rsi
	rdtsc
	mov %rax, (%rsi)
	ret
end counter_p1

begin counter_and_call
	mov $39, %eax
	rdtsc
	syscall
	mov %rax, %rdi
	ret
	nop
end counter_and_call

begin counter_target
	mov %edi, %ecx
	rdtsc
1:	dec %ecx
	jnz 1b
	ret
end counter_target

begin counter_and_processor	/* rdtscp goes on to stop */
	mov $39, %eax
	rdtscp
	shl $32, %rdx
	ret
end counter_and_processor

	/* Not an instruction in 64-bit mode: nothing behind it counts. */
begin undecodable
	.byte 0x06
	mov $39, %eax
	syscall
	ret
end undecodable

	.p2align 4
	.type by_symbol, @function
by_symbol:
	mov $39, %eax
	syscall
	ret
	.size by_symbol, . - by_symbol

	/* Unwind information that ends before the symbol does, as clone()'s. */
	.p2align 4
	.type longer, @function
longer:
	.cfi_startproc
	mov $39, %eax
	.cfi_endproc
	syscall
	ret
	.size longer, . - longer

	.p2align 4
	mov $39, %eax
	syscall		/* in no function */
	ret

	.p2align 4
	.type f_jmp_end, @function
f_jmp_end:
	.cfi_startproc
	ret
end f_jmp_end

	.p2align 4
	.space 4096, 0x90
begin far
	jmp target_from_far + 4
end far

	.data
number:
	.quad 0x1122334455667788
	.section .note.GNU-stack, "", @progbits
