#!/bin/bash
# The bash completion offers what fits at the place of the cursor.
. "$(dirname "$0")/lib.sh"
. "$source_root/packaging/mvarmor.bash-completion" || fail "cannot be sourced"
unset -f _command_offset	# of the caller's own completion package

# offers WORDS... : what is offered for the last word
offers() {
	COMP_WORDS=(mvarmor "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_mvarmor
	printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}

check() {
	local want=$1 got
	shift
	got=$(offers "$@")
	[ "$got" = "$want " ] || fail "mvarmor $*: offers '$got' instead of '$want '"
}

touch my-policy
check "run" ru
check "check" ch
check "--variant --variants" run --var
check "aslr disjoint same" run --layout ""
check "ptrace" run -n 2 -f pt
check "my-policy" run -p my
check "exec" policies ex
check "--json" check --j
check "my-policy" run -n 2 cat my
check "my-policy" run -- cat my
check "my-policy" run --detach -- cat --layout my
finish
