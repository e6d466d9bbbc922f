/*
 * A place to run pieces of code in: registers and flags are given, the run ends at the first int3 or fault, registers and
 * flags are looked at.  One thread, x86-64.  Nothing is simulated: the processor runs the code here, in this process.
 */
#ifndef MV_TEST_REWRITE_MACHINE_H
#define MV_TEST_REWRITE_MACHINE_H

#include <stdint.h>
#include <sys/ucontext.h>

#define MACHINE_ENTRY 16	/* where in the GS segment the monitor's address is */
#define MACHINE_LOOK 24		/* ... that for rdtsc */

struct machine_state {
	gregset_t r;
	int signal;		/* that the run ended by */
};

/* Take over SIGTRAP, SIGSEGV, SIGBUS, SIGILL and the GS segment, whose words at MACHINE_ENTRY and MACHINE_LOOK are then entry. */
void machine_start(uint64_t entry);
void machine_stop(void);

/* General registers that all point into writable memory of the machine, rip, flags (those a program can have). */
struct machine_state machine_fresh(uint64_t rip, uint64_t flags);

/* Run from *s until a signal comes; *s is then what that found.  After an int3, rip is the int3's own address. */
void machine_run(struct machine_state *s);

/*
 * A monitor in the simplest form: makes the real call and leaves what the kernel leaves.  Good for one thread at a time.
 * machine_live() makes it the entry; the number of calls that came through it since.
 */
void machine_live(void);
uint64_t machine_live_calls(void);

#endif
