/* Who has the capability may install a filter although it could gain privileges; who has given it up may not. */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include "check.h"

static long install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int privileged(void)
{
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	OUTCOME(install());
	OUTCOME(syscall(SYS_getppid));
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}

static int given_up(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	NEED(syscall(SYS_capset, &head, data) == 0);
	OUTCOME(install());
	SHOW(syscall(SYS_getppid) > 0);
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return privileged();
}

int main(void)
{
	if (geteuid()) {
		puts("needs root: for others mvarmor itself has to give up new privileges");
		return 77;
	}
	reap("privileged", spawn(privileged));
	reap("given up", spawn(given_up));
	return 0;
}
