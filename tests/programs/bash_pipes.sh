#!/bin/bash
# Pipelines, subshells, statuses, pipefail, read loops, background jobs, coprocesses.
seq 1 100 | grep 5 | sort -r | head -n 3
echo "${PIPESTATUS[@]}"
false | true | (exit 3)
echo "$? ${PIPESTATUS[*]}"
set -o pipefail
false | true
echo $?
(cd / && pwd; exit 7)
echo $?
x=outer
echo value | { read -r x; echo "$x in subshell"; }
echo $x
total=0
while read -r n; do total=$((total + n)); done < <(seq 1 50)
echo $total
for i in 1 2 3 4; do (exit $i) & pids+=($!); done
for p in "${pids[@]}"; do wait "$p"; echo "wait $?"; done
(sleep 0.2; exit 9) &
wait -n
echo "wait -n $?"
coproc tr a-z A-Z
echo shout >&"${COPROC[1]}"
exec {COPROC[1]}>&-
read -r loud <&"${COPROC[0]}"
echo "$loud"
wait
yes | head -n 2
echo "$(echo nested "$(echo deeper "$(echo deepest)")")"
[[ $$ == "$BASHPID" ]] && echo same process
( [[ $$ != "$BASHPID" ]] && echo other process )
exec 5<>fifo-like; echo text >&5; exec 5>&-; cat fifo-like
mkfifo f; (echo through fifo > f) & cat f; wait
ulimit -n 50; ulimit -n
exit 33
