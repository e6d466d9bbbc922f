/*
 * A monitor inside of the process can be found, its thread's block through the gs register; calls must find nothing there.
 * Without one the address is any that is not mapped.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include "check.h"

#define PAGE 4096ul

static char *monitor_address(void)
{
	uint64_t gs, here = (uint64_t)__builtin_frame_address(0);

	if (!(getauxval(AT_HWCAP2) & 2)) {
		puts("the kernel does not let programs read gs");
		exit(77);
	}
	__asm__ volatile("rdgsbase %0" : "=r"(gs));
	return (char *)((gs ? gs : (here >> 43 << 43) + 0x123456789000 % (1ul << 43)) & ~(PAGE - 1));
}

static void ranges(char *p)
{
	unsigned char vec[4];

	OUTCOME(munmap(p, PAGE));
	OUTCOME(munmap(p, 64 * PAGE));
	OUTCOME(munmap(p + 1, PAGE));
	OUTCOME(munmap(p, 0));
	OUTCOME(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	OUTCOME(mprotect(p, PAGE, 0x7777));
	OUTCOME(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, -1));
	OUTCOME(madvise(p, PAGE, MADV_DONTNEED));
	OUTCOME(madvise(p, PAGE, MADV_FREE));
	OUTCOME(madvise(p, PAGE, MADV_DONTFORK));
	OUTCOME(madvise(p + 1, PAGE, MADV_DONTNEED));
	OUTCOME(madvise(p, 0, MADV_DONTNEED));
	OUTCOME(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	OUTCOME(mincore(p, PAGE, vec));
	OUTCOME(mlock(p, PAGE));
	OUTCOME(munlock(p, PAGE));
	OUTCOME(msync(p, PAGE, MS_ASYNC));
	OUTCOME(msync(p, PAGE, 64));
	OUTCOME(syscall(SYS_mbind, p, PAGE, 0, NULL, 0, 0));
	OUTCOME(syscall(SYS_get_mempolicy, vec, NULL, 0, p, 2));
	OUTCOME(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE, "x"));
}

static void pointers(char *p)
{
	struct iovec nowhere = { p, 8 };
	struct msghdr msg = { .msg_name = p, .msg_namelen = 16, .msg_iov = &nowhere, .msg_iovlen = 1 };
	struct { uint64_t value, address; uint32_t flags, reserved; } waits = { 0, (uint64_t)p, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 };
	struct timespec none = { 0, 0 };
	int fds[2], sockets[2];
	char c = 'x';

	NEED(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);
	OUTCOME(write(fds[1], p, 1));
	OUTCOME(write(fds[1], p, 0));
	OUTCOME(writev(fds[1], &nowhere, 1));
	OUTCOME(writev(fds[1], (struct iovec *)(void *)p, 1));
	NEED(write(fds[1], &c, 1) == 1);
	OUTCOME(read(fds[0], p, 1));
	OUTCOME(readv(fds[0], &nowhere, 1));
	SHOW(read(fds[0], &c, 1));
	OUTCOME(sendto(sockets[0], p, 8, 0, NULL, 0));
	OUTCOME(sendto(sockets[0], &c, 1, 0, (struct sockaddr *)(void *)p, 16));
	OUTCOME(sendmsg(sockets[0], &msg, 0));
	OUTCOME(open(p, O_RDONLY));
	OUTCOME(stat("/", (struct stat *)(void *)p));
	OUTCOME(getrlimit(RLIMIT_CORE, (struct rlimit *)(void *)p));
	OUTCOME(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8));
	OUTCOME(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
	OUTCOME(syscall(SYS_arch_prctl, 0x1003, p));
	OUTCOME(syscall(SYS_arch_prctl, 0x1004, p));
	OUTCOME(syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, 0, &none, NULL, 0));
	OUTCOME(syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	OUTCOME(syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0));
	OUTCOME(syscall(SYS_futex, &c, FUTEX_WAKE_OP_PRIVATE, 1, 1, p, 0));
	OUTCOME(syscall(449 /* futex_waitv */, &waits, 1, 0, NULL, 0));
	OUTCOME(nanosleep((struct timespec *)(void *)p, NULL));
	OUTCOME(ioctl(fds[0], FIONREAD, p));
}

static int over[2];

/* What it leaves in the kernel is written to when it ends. */
static int in_thread(void *p)
{
	OUTCOME(syscall(SYS_set_robust_list, p, 24));
	SHOW(syscall(SYS_set_tid_address, p) == syscall(SYS_gettid));
	ranges(monitor_address());
	pointers(monitor_address());
	send_byte(over[1]);
	return 0;
}

static int in_child(void)
{
	ranges(monitor_address());
	return 7;
}

int main(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	char *p = monitor_address();

	NEED(pipe(over) == 0);
	ranges(p);
	pointers(p);
	NEED(clone(in_thread, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		   CLONE_PARENT_SETTID, p, p) > 0);
	wait_byte(over[0]);
	sleep_ms(50);
	ranges(p);
	reap("child", spawn(in_child));
	return 0;
}
