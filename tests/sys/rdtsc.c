/* The time stamp counter moves on, also under signals; its value is the same in all variants. */
#include <sys/prctl.h>
#include <x86intrin.h>
#include "check.h"

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

/* What it does not write stays: registers that calls lose, too, and flags. */
static int kept(void)
{
	register uint64_t r8 __asm__("r8") = 8, r9 __asm__("r9") = 9, r10 __asm__("r10") = 10, r11 __asm__("r11") = 11;
	uint64_t c = 1, s = 2, d = 3, low, high;
	uint8_t carry, zero, minus;

	__asm__ volatile("cmp $1, %b[one]; stc; rdtsc; setc %[carry]; setz %[zero]; sets %[minus]"
			 : "+c"(c), "+S"(s), "+D"(d), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "=&a"(low), "=&d"(high),
			   [carry] "=m"(carry), [zero] "=m"(zero), [minus] "=m"(minus)
			 : [one] "b"(1) : "cc");
	return c == 1 && s == 2 && d == 3 && r8 == 8 && r9 == 9 && r10 == 10 && r11 == 11 && carry && zero && !minus &&
	       low >> 32 == 0 && high >> 32 == 0;
}

/* Has room for a jump. */
static __attribute__((noinline)) uint64_t look(void)
{
	return __rdtsc();
}

/* A loop that makes no call. */
static uint64_t under_signals(void)
{
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	uint64_t now = 0;

	on_signal(SIGALRM, tick, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (ticks < 20)
		now = look();
	memset(&it, 0, sizeof(it));
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	SHOW(ticks >= 20);
	return now;
}

/* A processor that cannot keep programs from looking: nobody can make variants see the same. */
static void need_trap(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
			_exit(1);
		__rdtsc();
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		puts("rdtsc cannot be trapped on this machine (PR_SET_TSC: the instruction went through)");
		exit(77);
	}
}

int main(void)
{
	uint64_t last;
	unsigned aux;
	int back = 0, n = 0;
	char name[32];

	need_trap();
	last = __rdtsc();

	for (int i = 0; i < 1000; i++) {
		uint64_t now = i % 2 ? __rdtsc() : __rdtscp(&aux);

		back += now < last;
		last = now;
	}
	SHOW(back);
	while (n < 400 && kept())
		n++;
	SHOW(n);
	last = under_signals();
	/* The name differs from run to run; all variants must ask for the same one. */
	snprintf(name, sizeof(name), "t%llx", (unsigned long long)last);
	OUTCOME(access(name, F_OK));
	return 0;
}
