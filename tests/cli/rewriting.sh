#!/bin/sh
# Which calls stop with the front-end inproc: rewriting.sh MVARMOR DIRECTORY-OF-TESTS/SYS.  What programs print is checked elsewhere.
. "$(dirname "$0")/lib.sh"
programs=${2:-$(dirname "$mvarmor")/tests/sys}
need_run

# stops AT-MOST COMMAND...: so many calls of each process stop; the rest go to the monitor by themselves.
stops() {
	most=$1
	shift
	timeout -s KILL 100 "$mvarmor" run -f inproc -n 2 --log boot -o log -- "$@" >out 2>err || fail "$*: status $?: $(cat err log)"
	sed -n 's/.* \([0-9]*\) calls have stopped, .*/\1/p' log >stopped
	[ "$(wc -l <stopped)" = 2 ] || fail "$*: no number of stops for each variant: $(cat log)"
	while read -r n; do
		[ "$n" -le "$most" ] || fail "$*: $n calls have stopped, at most $most were to"
	done <stopped
}

# 400,000 calls of a library that is mapped twice when there are threads; what is rewritten before takes some stops.
stops 200 "$programs/dlopen_threads" 100000
# Looks at the clock through the vDSO, from the first on.
stops 200 "$programs/vdso"
stops 200 "$programs/vdso.static"
# Code that the program makes itself stops: slower, and as right.
timeout -s KILL 100 "$mvarmor" run -f inproc -n 2 --log boot -o log -- "$programs/jit" >out 2>err || fail "jit: status $?"
sed -n 's/.* \([0-9]*\) calls have stopped, .*/\1/p' log | while read -r n; do
	[ "$n" -ge 6600 ] || echo "$n"
done >few
[ -s few ] && fail "jit: only $(cat few) calls have stopped"
finish
