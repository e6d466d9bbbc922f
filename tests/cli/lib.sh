# Sourced by the tests of the command line.  Usage of a test: NAME.sh [MVARMOR]; exit 0 passed, 1 failed, 77 skipped.
set -u
source_root=$(cd "$(dirname "$0")/../.." && pwd)
mvarmor=${1:-${source_root}/build/mvarmor}
[ -x "$mvarmor" ] || { echo "no $mvarmor"; exit 1; }
case $mvarmor in /*) ;; *) mvarmor=$PWD/$mvarmor ;; esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# What the caller has set must not change what is tested.
for name in $(env | sed -n 's/^\(MVARMOR_[A-Z_]*\|MV_[A-Z_]*\|RINGBUFFER_SIZE\)=.*/\1/p'); do unset "$name"; done
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

skip() {
	echo "SKIP: $*"
	exit 77
}

# expect STATUS STDERR-LINE COMMAND...: exactly this exit status, this one line on stderr, nothing on stdout.
expect() {
	want_status=$1 want_line=$2
	shift 2
	"$@" >out 2>err </dev/null
	got=$?
	[ $got = "$want_status" ] || fail "$*: status $got instead of $want_status"
	printf '%s\n' "$want_line" | cmp -s - err || fail "$*: stderr is
$(cat err)
  instead of
$want_line"
	[ -s out ] && fail "$*: something on stdout: $(head -n 1 out)"
	return 0
}

# expect_in TEXT FILE
expect_in() {
	grep -qF -e "$1" "$2" || fail "'$1' is not in $2: $(head -n 5 "$2")"
}

# The rest needs a machine on which run works.
need_run() {
	"$mvarmor" check >check.txt 2>&1 || skip "mvarmor run cannot work here: $(grep MISSING check.txt | head -n 1)"
}

finish() {
	[ $failures = 0 ] || { echo "$failures failed"; exit 1; }
	exit 0
}
