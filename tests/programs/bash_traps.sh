#!/bin/bash
# Traps: EXIT, ERR, USR1 from outside, INT in a subshell, killed children, wait interrupted.
trap 'echo exit trap $?' EXIT
trap 'echo got USR1' USR1
kill -USR1 $$
(sleep 0.2; kill -USR1 $$) &
sleeper=$!
sleep 0.6
wait $sleeper
echo "sleeper $?"
sleep 30 & victim=$!
(sleep 0.3; kill -USR1 $$) &
wait $victim
echo "interrupted: $(($? > 128))"
kill $victim
wait $victim 2> /dev/null
echo "victim $?"
bash -c 'trap "echo child INT; exit 5" INT; kill -INT $$; sleep 1'
echo $?
(bash -c 'kill -KILL $$'; exit $?) 2> /dev/null
echo $?
(trap - USR1; bash -c 'trap "" USR1; sh -c "kill -USR1 \$\$; echo ignored"')
set -E
trap 'echo error on line $LINENO' ERR
f() { false; true; }
f
trap - ERR
bash -c 'trap "echo bye" EXIT; exec true'
bash -c 'trap "echo bye" EXIT; exit 4'
echo $?
timeout 0.3 sleep 10
echo "timeout $?"
(timeout -s KILL 0.3 sleep 10; exit $?) 2> /dev/null
echo "timeout $?"
exit 21
