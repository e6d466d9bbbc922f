/* futex by hand: wrong value, time-out, wake between processes through shared memory. */
#include <linux/futex.h>
#include "check.h"

static uint32_t *word;

static int waiter(void)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return (int)*word;
}

int main(void)
{
	struct timespec ts = { 0, 20000000 };
	uint32_t own = 3;
	pid_t pid;

	OUTCOME(syscall(SYS_futex, &own, FUTEX_WAIT_PRIVATE, 4, &ts, NULL, 0));
	OUTCOME(syscall(SYS_futex, &own, FUTEX_WAIT_PRIVATE, 3, &ts, NULL, 0));
	SHOW(syscall(SYS_futex, &own, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	OUTCOME(syscall(SYS_futex, (char *)&own + 1, FUTEX_WAIT_PRIVATE, 3, &ts, NULL, 0));
	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(word != MAP_FAILED);
	pid = spawn(waiter);
	sleep_ms(50);
	__atomic_store_n(word, 42, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	reap("waiter", pid);
	return 0;
}
