/* A page of the program's own code that makes calls: own_getppid() until own_calls_end, position independent. */
#ifndef TESTS_SYS_OWN_CALLS_H
#define TESTS_SYS_OWN_CALLS_H

#include "check.h"

#define PAGE 4096ul

/*
 * own_getppid() has an instruction of five bytes before its call, own_short() has not; own_call() makes any call, also the
 * page's own munmap: the instruction that it would go on at is in no jump's way.  own_insn and own_short_insn are the calls'
 * instructions.
 */
__asm__(".pushsection .owncalls, \"ax\", @progbits\n"
	".balign 4096\n"
	".globl own_getppid, own_insn, own_short, own_short_insn, own_call\n"
	".type own_getppid, @function\nown_getppid:\n	.cfi_startproc\n"
	"	endbr64\n"
	"	mov	$110, %eax\n"
	"own_insn:\n"
	"	syscall\n"
	"	ret\n	.cfi_endproc\n.size own_getppid, . - own_getppid\n"
	"	.balign 64\n"
	".type own_short, @function\nown_short:\n	.cfi_startproc\n"
	"	push	$110\n"
	"	pop	%rax\n"
	"own_short_insn:\n"
	"	syscall\n"
	"	cmp	$-4096, %rax\n"
	"	nop\n"
	"	ret\n	.cfi_endproc\n.size own_short, . - own_short\n"
	"	.balign 64\n"
	".type own_call, @function\nown_call:\n	.cfi_startproc\n"
	"	mov	%rdi, %rax\n"
	"	mov	%rsi, %rdi\n"
	"	mov	%rdx, %rsi\n"
	"	mov	%rcx, %rdx\n"
	"	mov	%r8, %r10\n"
	"	syscall\n"
	"	mov	%rax, %rax\n"
	"	ret\n	.cfi_endproc\n.size own_call, . - own_call\n"
	".balign 4096, 0xcc\n"
	".popsection");

long own_getppid(void), own_short(void);
extern const char own_insn[], own_short_insn[];
long own_call(long nr, const void *a, unsigned long b, unsigned long c, unsigned long d);

typedef long own_call_fn(long nr, const void *a, unsigned long b, unsigned long c, unsigned long d);

/* Code that is made at run time; prot is what it has in the end. */
static inline void *copy_of_page(int prot)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	memcpy(p, (const void *)own_getppid, PAGE);
	NEED(mprotect(p, PAGE, prot) == 0);
	return p;
}

/* The same function in a copy of the page. */
static inline void *in_copy(void *copy, const void *function)
{
	return (char *)copy + ((const char *)function - (const char *)own_getppid);
}

/* The call at an instruction of the page, come to by a jump. */
static inline long jump_to(const void *insn, long nr)
{
	long r;

	__asm__ volatile("call *%1" : "=a"(r) : "r"(insn), "0"(nr) : "rcx", "r11", "cc", "memory");
	return r;
}

#endif
