/*
 * A monitor inside of the process can be found, its thread's block through the gs register; calls must find nothing there.
 * Without one the address is any that is not mapped.
 */
#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <ucontext.h>
#include "check.h"

#define PAGE 4096ul

static sigjmp_buf env;

static void none(int sig)
{
	(void)sig;
	siglongjmp(env, 1);
}

static char *monitor_address(void)
{
	static uint64_t gs;
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	void (*before)(int) = signal(SIGSEGV, none);

	/* A monitor has its own address in its first word there. */
	if (!sigsetjmp(env, 1))
		__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	signal(SIGSEGV, before);
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
	OUTCOME(mlock2(p, PAGE, MLOCK_ONFAULT));
	OUTCOME(munlock(p, PAGE));
	OUTCOME(msync(p, PAGE, MS_ASYNC));
	OUTCOME(msync(p, PAGE, 64));
	OUTCOME(msync(p, PAGE, MS_INVALIDATE | MS_SYNC));
	OUTCOME(madvise(p, PAGE, MADV_WILLNEED));
	OUTCOME(madvise(p, PAGE, MADV_DONTDUMP));
	OUTCOME(mprotect(p, 64 * PAGE, PROT_NONE));
	OUTCOME(mremap(p, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	OUTCOME(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED ? -1 : 0);
	OUTCOME(syscall(462 /* mseal */, p, PAGE, 0));
	OUTCOME(syscall(450 /* set_mempolicy_home_node */, p, PAGE, 0, 0));
	OUTCOME(syscall(SYS_mbind, p, PAGE, 0, NULL, 0, 0));
	OUTCOME(syscall(SYS_get_mempolicy, vec, NULL, 0, p, 2));
	OUTCOME(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE, "x"));
}

static int fds[2], sockets[2];

static void vectors(char *p)
{
	struct iovec nowhere = { p, 8 };
	struct msghdr msg = { .msg_name = p, .msg_namelen = 16, .msg_iov = &nowhere, .msg_iovlen = 1 };
	struct msghdr control = { .msg_control = p, .msg_controllen = 64 };
	char c = 'x';

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
	OUTCOME(sendmsg(sockets[0], &control, 0));
	OUTCOME(sendmsg(sockets[0], (struct msghdr *)(void *)p, 0));
	NEED(send(sockets[0], &c, 1, 0) == 1);
	OUTCOME(recvfrom(sockets[1], p, 1, MSG_PEEK, NULL, NULL));
	msg.msg_name = NULL;
	OUTCOME(recvmsg(sockets[1], &msg, MSG_PEEK));
	OUTCOME(recvmsg(sockets[1], (struct msghdr *)(void *)p, MSG_PEEK));
	SHOW(recv(sockets[1], &c, 1, MSG_DONTWAIT));
}

static void words(char *p)
{
	struct { uint64_t value, address; uint32_t flags, reserved; } waits = { 0, (uint64_t)p, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 };
	struct timespec none = { 0, 0 };
	char c = 'x';

	OUTCOME(syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, 0, &none, NULL, 0));
	OUTCOME(syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	OUTCOME(syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0));
	OUTCOME(syscall(SYS_futex, &c, FUTEX_WAKE_OP_PRIVATE, 1, 1, p, 0));
	OUTCOME(syscall(449 /* futex_waitv */, &waits, 1, 0, NULL, 0));
}

static void operands(char *p)
{
	char *strings[] = { p, NULL };
	int epoll = epoll_create1(0);

	OUTCOME(open(p, O_RDONLY));
	OUTCOME(nanosleep((struct timespec *)(void *)p, NULL));
	OUTCOME(setsockopt(sockets[0], SOL_SOCKET, SO_RCVBUF, p, 4));
	OUTCOME(poll((struct pollfd *)(void *)p, 1, 0));
	OUTCOME(syscall(SYS_select, 8, p, NULL, NULL, NULL));
	OUTCOME(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], (struct epoll_event *)(void *)p));
	OUTCOME(syscall(SYS_execve, p, NULL, NULL));
	OUTCOME(syscall(SYS_execve, "/bin/true", strings, NULL));
	OUTCOME(syscall(SYS_execve, "/bin/true", NULL, strings));
	OUTCOME(syscall(SYS_sigaltstack, p, NULL));
	OUTCOME(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
	OUTCOME(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
	OUTCOME(syscall(SYS_rt_sigqueueinfo, getpid(), 0, p));
	OUTCOME(syscall(SYS_timer_create, CLOCK_REALTIME, p, p));
	OUTCOME(syscall(SYS_prlimit64, 0, RLIMIT_CORE, p, NULL));
	OUTCOME(syscall(SYS_clone3, p, 88));
	OUTCOME(prctl(PR_SET_NAME, p));
	close(epoll);
}

static void results(char *p)
{
	socklen_t length = 4;

	OUTCOME(stat("/", (struct stat *)(void *)p));
	OUTCOME(getrlimit(RLIMIT_CORE, (struct rlimit *)(void *)p));
	OUTCOME(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8));
	OUTCOME(syscall(SYS_rt_sigpending, p, 8));
	OUTCOME(syscall(SYS_sigaltstack, NULL, p));
	OUTCOME(syscall(SYS_arch_prctl, 0x1003, p));
	OUTCOME(syscall(SYS_arch_prctl, 0x1004, p));
	OUTCOME(ioctl(fds[0], FIONREAD, p));
	OUTCOME(getsockname(sockets[0], (struct sockaddr *)(void *)p, &length));
	OUTCOME(getsockopt(sockets[0], SOL_SOCKET, SO_TYPE, p, &length));
	OUTCOME(pipe((int *)(void *)p));
	OUTCOME(syscall(SYS_getrandom, p, 8, 0));
	OUTCOME(syscall(SYS_clock_gettime, CLOCK_REALTIME, p));
	OUTCOME(syscall(SYS_gettimeofday, p, NULL));
	OUTCOME(syscall(SYS_getcpu, p, NULL, NULL));
	OUTCOME(syscall(SYS_getcwd, p, 4096));
	OUTCOME(syscall(SYS_readlink, "/proc/self/exe", p, 64));
	OUTCOME(syscall(SYS_get_robust_list, 0, p, p));
	OUTCOME(syscall(SYS_sched_getaffinity, 0, 8, p));
	OUTCOME(prctl(PR_GET_NAME, p));
}

static void pointers(char *p)
{
	NEED(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);
	vectors(p);
	words(p);
	operands(p);
	results(p);
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

static void ignored(int sig)
{
	(void)sig;
}

/* The kernel is to write there. */
static int signal_stack(void)
{
	stack_t there = { .ss_sp = monitor_address(), .ss_size = 1 << 14 }, old;

	OUTCOME(sigaltstack(&there, NULL));
	OUTCOME(sigaltstack(NULL, &old));
	SHOW(old.ss_size);
	on_signal(SIGUSR1, ignored, SA_ONSTACK);
	raise(SIGUSR1);
	return 0;
}

static void set_stack(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	(void)info;
	u->uc_stack = (stack_t){ .ss_sp = monitor_address(), .ss_size = 1 << 14 };
}

static int stack_by_return(void)
{
	struct sigaction act = { .sa_sigaction = set_stack, .sa_flags = SA_SIGINFO };

	NEED(sigaction(SIGUSR2, &act, NULL) == 0);
	raise(SIGUSR2);
	on_signal(SIGUSR1, ignored, SA_ONSTACK);
	raise(SIGUSR1);
	return 0;
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
	reap("signal stack", spawn(signal_stack));
	reap("signal stack by return", spawn(stack_by_return));
	return 0;
}
