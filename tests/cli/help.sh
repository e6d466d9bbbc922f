#!/bin/sh
# Help and version; every option of the table is in the help, the manual page and the completion.
. "$(dirname "$0")/lib.sh"

"$mvarmor" --version >out 2>err || fail "--version: status $?"
grep -qx 'mvarmor [0-9]*\.[0-9]*\.[0-9]*' out || fail "--version prints $(cat out)"
"$mvarmor" --help >main || fail "--help: status $?"
for command in run check policies; do
	expect_in "  $command " main
	"$mvarmor" $command --help >"$command" 2>err || fail "$command --help: status $?"
	[ -s err ] && fail "$command --help writes to stderr"
	expect_in "Usage: mvarmor $command" "$command"
	[ "$(awk 'length > 110' "$command")" = "" ] || fail "$command --help has long lines"
done
"$mvarmor" run -n 3 -h >again || fail "run -n 3 -h: status $?"
cmp -s run again || fail "run -h is not run --help"

"$mvarmor" --man-options >man || fail "--man-options: status $?"
"$mvarmor" --bash-completion >completion || fail "--bash-completion: status $?"
options=$(sed -n 's/^  ...\?\? *--\([a-z-]*\).*/\1/p' run)
count=0
for option in $options; do
	expect_in "*--$option*" man
	expect_in "--$option" completion
	[ "$option" = help ] && continue
	variable=MVARMOR_$(echo "$option" | tr a-z- A-Z_)
	grep -qF "*$(echo "$variable" | sed 's/_/\\_/g')*" man || fail "$variable is not in the manual page"
	count=$((count + 1))
done
[ $count -ge 15 ] || fail "only $count options found in run --help"
for option in variants frontend policy output detach report status-fd log layout threads turns same-at-random seed ring arena deadline \
	divergence-status color heap slab-max slab-pad heap-fill; do
	expect_in "--$option" run
done
for alias in MV_NUM_PROC MV_DONT_DETACH MV_OUT_TO_FILE MV_UMEM MV_SLAB_MAX MV_SLAB_PAD RINGBUFFER_SIZE; do
	expect_in "$(echo "$alias" | sed 's/_/\\_/g')" man
done

cmp -s completion "$source_root/packaging/mvarmor.bash-completion" ||
	fail "packaging/mvarmor.bash-completion is out of date: mvarmor --bash-completion makes it"
finish
