/* What the table denies is denied for calls from the monitor's gate as well. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include "monitor.h"

#define TRY(call) printf("%s: %s\n", #call, (r = call) < 0 && r > -4096 ? strerrorname_np((int)-r) : "ok")

int main(void)
{
	long r;

	monitor_block();
	TRY(from_gate(SYS_ptrace, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_seccomp, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_process_vm_readv, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_process_vm_writev, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_userfaultfd, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_prctl, (void *)PR_SET_SECCOMP, 1, 0, 0, NULL));
	TRY(from_gate(SYS_prctl, (void *)PR_SET_MM, 1, 0, 0, NULL));
	TRY(from_gate(SYS_prctl, (void *)PR_GET_DUMPABLE, 0, 0, 0, NULL));
	TRY(from_gate(SYS_modify_ldt, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_process_madvise, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_prctl, (void *)PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, NULL));
	TRY(from_gate(SYS_io_uring_setup, (void *)1, 0, 0, 0, NULL));
	TRY(from_gate(SYS_io_uring_enter, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_io_setup, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_vmsplice, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_remap_file_pages, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_move_pages, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_shmat, NULL, 0, SHM_REMAP, 0, NULL));
	TRY(from_gate(SYS_perf_event_open, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_bpf, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_rseq, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_memfd_secret, NULL, 0, 0, 0, NULL));
	TRY(from_gate(SYS_arch_prctl, (void *)0x1012 /* ARCH_SET_CPUID */, 0, 0, 0, NULL));
	TRY(from_gate(511, NULL, 0, 0, 0, NULL));
	TRY(from_gate(0x40000000 | SYS_mprotect, NULL, 0, 0, 0, NULL));
	return 0;
}
