#!/bin/sh
# test: timeout=60 needs=gdb,gcc prepare corners
# gdb would run a program, or attach to one.  That needs ptrace: it fails as where the system forbids ptrace, and gdb says so.
# The native run has a filter by which it does.
if [ "${1-}" = prepare ]; then
	cat > deny.c << 'END'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 99;
	execvp(argv[1], argv + 1);
	return 98;
}
END
	exec gcc -o deny deny.c
fi
"$MV_TEST_PREPARED/deny" gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set startup-with-shell off' -ex run /bin/true > out 2>&1
echo "run $?"
grep -v '^warning' out | sed 's/[0-9][0-9]*/N/g'
sleep 30 &
"$MV_TEST_PREPARED/deny" gdb -nx -batch -iex 'set debuginfod enabled off' -p $! > out 2>&1
echo "attach $?"
grep -i 'ptrace' out | sed 's/[0-9][0-9]*/N/g'
kill $!
