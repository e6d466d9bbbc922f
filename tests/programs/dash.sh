#!/bin/dash
# dash: functions, traps, job waiting, command not found, redirections, exec.
f() { echo "f $1"; return 3; }
f x
echo $?
trap 'echo term' TERM
kill -TERM $$
i=0
while [ $i -lt 200 ]; do i=$((i + 1)); done
echo $i
for w in a b c; do (echo "sub $w") & wait $!; done
nonexistent-command
echo $?
./not-there
echo $?
. ./missing 2> /dev/null || echo unreachable
echo "after"
