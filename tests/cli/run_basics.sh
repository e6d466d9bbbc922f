#!/bin/sh
# How run begins and ends: exit status, signals, --status-fd, -o, --detach, the program's environment.
. "$(dirname "$0")/lib.sh"
need_run

"$mvarmor" run -- true || fail "true: status $?"
"$mvarmor" run -- sh -c 'exit 7'
[ $? = 7 ] || fail "exit 7 was not passed on"
expect_status() {	# WANTED-JSON COMMAND...
	want=$1
	shift
	"$mvarmor" run --status-fd 5 -- "$@" 5>status.json >out 2>err
	[ "$(cat status.json)" = "$want" ] || fail "$*: status line is $(cat status.json)"
}
expect_status '{"kind":"exited","status":0}' true
expect_status '{"kind":"exited","status":86}' sh -c 'exit 86'
expect_status '{"kind":"signaled","signal":15,"name":"TERM","core":false,"status":143}' sh -c 'kill -TERM $$'
# The status descriptor is ours alone, and standard output as one leaves the program's alone.
"$mvarmor" run --status-fd 5 -- sh -c '[ ! -e /proc/self/fd/5 ]' 5>status.json || fail "the program sees descriptor 5"
"$mvarmor" run --status-fd 1 -- echo hello >out || fail "--status-fd 1: status $?"
[ "$(cat out)" = 'hello
{"kind":"exited","status":0}' ] || fail "--status-fd 1 gives $(cat out)"

# Death by a signal is seen as such by the parent, not only as a status above 128.
if command -v python3 >/dev/null; then
	for signal in 9 15 2; do
		got=$(python3 -c 'import subprocess, sys; print(subprocess.run(sys.argv[1:]).returncode)' \
			"$mvarmor" run -- sh -c "kill -$signal \$\$")
		[ "$got" = "-$signal" ] || fail "death by signal $signal is seen as $got"
	done
	# Whoever starts us may have blocked every signal; that is the program's to find.
	for frontend in inproc ptrace; do
		got=$(timeout -s KILL 60 python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])' "$mvarmor" run -f $frontend -- grep SigBlk /proc/self/status 2>err)
		case $frontend$got in
		*"SigBlk:	fffffffe7ffbfeff") ;;
		"ptraceSigBlk:	fffffffe7ffbfaff") ;;	# the first rdtsc that is trapped unblocks SIGSEGV: docs/limits.md
		*) fail "$frontend with all signals blocked: '$got', $(cat err)" ;;
		esac
	done
fi

# As many variants as there can be: each is handed the leader's files through a descriptor of its own.
timeout -s KILL 60 "$mvarmor" run -n 8 -- sh -c 'exit 8'
[ $? = 8 ] || fail "8 variants"

# Limits are the program's to find, and do not stop mvarmor: 64 KiB of stack, 32 descriptors (with one above), files of 1 MiB, little memory.
for frontend in inproc ptrace; do
	for limit in 's 64' 'n 32' 'f 1024' 't 1000' 'v 3000000'; do
		got=$(bash -c "exec 40</dev/null; ulimit -S$limit && exec \"\$@\"" - "$mvarmor" run -f $frontend -- \
			bash -c "ls / | head -n 1 >/dev/null; ls /proc/self/fd/40 && ulimit -S${limit% *}" 2>err)
		[ "$got" = "/proc/self/fd/40
${limit#* }" ] || fail "$frontend with ulimit -$limit: '$got', $(cat err)"
	done
done
(ulimit -f 1024 && exec setpriv --bounding-set -sys_resource "$mvarmor" run -- true) 2>err
status=$?
if [ "$(id -u)" = 0 ]; then
	[ $status = 125 ] && grep -q 'ulimit -H -f' err || fail "a hard limit for files: status $status, $(cat err)"
fi

"$mvarmor" run -- ./nonesuch 2>err
[ $? = 127 ] || fail "a program that is not there"
touch plain
"$mvarmor" run -- ./plain 2>err
[ $? = 126 ] || fail "a program that is not executable"
"$mvarmor" run --detach -- ./nonesuch 2>err
[ $? = 127 ] || fail "--detach of a program that is not there"
"$mvarmor" run --detach -- ./plain 2>err
[ $? = 126 ] || fail "--detach of a program that is not executable"

# -o takes our messages, and nothing of the program.
MVARMOR_VARAINTS=4 "$mvarmor" run -o messages -- sh -c 'echo out; echo err >&2' >out 2>err || fail "-o: status $?"
[ "$(cat out)" = out ] && [ "$(cat err)" = err ] || fail "-o changes what the program writes"
expect_in "mvarmor: MVARMOR_VARAINTS in the environment is not known and has no effect" messages

# The program's environment is the caller's without our variables.
env -i PATH="$PATH" A=1 MV_NUM_PROC=2 MVARMOR_DEADLINE=20000 RINGBUFFER_SIZE=128 "$mvarmor" run -- env >out
[ "$(grep -v '^PWD=\|^SHLVL=\|^_=' out | sort | tr '\n' ' ')" = "A=1 PATH=$PATH " ] || fail "the environment is $(cat out)"

# --detach: mvarmor ends at once, the program goes on in a session of its own.
"$mvarmor" run --detach --status-fd 5 -- sh -c 'ps -o sid= -p $$ >session; echo done >finished; exit 3' 5>status.json ||
	fail "--detach: status $?"
for i in $(seq 100); do
	[ -s status.json ] && break
	sleep 0.1
done
[ "$(cat status.json)" = '{"kind":"exited","status":3}' ] || fail "--detach: status line is '$(cat status.json)'"
[ -e finished ] || fail "--detach: the program did not finish"
[ "$(cat session)" = "$(ps -o sid= -p $$)" ] && fail "--detach: still in the caller's session"
# MV_DONT_DETACH wins over --detach.
MV_DONT_DETACH=1 "$mvarmor" run --detach -- sh -c 'exit 4'
[ $? = 4 ] || fail "MV_DONT_DETACH did not keep it in the foreground"
finish
