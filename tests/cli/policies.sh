#!/bin/sh
# mvarmor policies; errors in policy files are told with file and line.
. "$(dirname "$0")/lib.sh"

"$mvarmor" policies >list || fail "policies: status $?"
[ "$(cut -d' ' -f1 list | tr '\n' ' ')" = "performance comprehensive exec leak " ] || fail "the list is $(cat list)"
for name in performance comprehensive exec leak; do
	"$mvarmor" policies $name >text || fail "policies $name: status $?"
	cmp -s text "$source_root/data/policies/$name.policy" || fail "policies $name is not data/policies/$name.policy"
	# What is printed is a policy file.
	cp text copy.policy
	[ "$("$mvarmor" policies ./copy.policy)" = "./copy.policy: no errors" ] || fail "policies ./copy.policy ($name)"
done
expect 125 "mvarmor: unknown policy 'exce': did you mean exec? (known: performance, comprehensive, exec, leak, or the path of a policy file)" \
	"$mvarmor" policies exce

# bad LINE MESSAGE: the policy on standard input has this error
bad() {
	cat >bad.policy
	expect 125 "mvarmor: bad.policy:$1: $2" "$mvarmor" run -p bad.policy touch ran
	expect 125 "mvarmor: bad.policy:$1: $2" "$mvarmor" policies bad.policy
}

directives="(known: base, lockstep, relaxed, unchecked, deny)"
bad 3 "unknown directive 'loockstep': did you mean lockstep? $directives" <<'P'
# a comment
base exec
loockstep write
P
bad 1 "unknown system call 'wriet': did you mean write?" <<'P'
lockstep read wriet
P
bad 1 "unknown group 'outptu': did you mean output? (known: exec, privilege, output, files, network, memory, signal)" <<'P'
lockstep group:outptu
P
bad 2 "unknown descriptor kind 'sock': did you mean socket? (known: file, socket, pipe, tty, other)" <<'P'

relaxed write@sock
P
bad 1 "unknown errno 'ENOSIS': did you mean ENOSYS?" <<'P'
deny bpf ENOSIS
P
bad 1 "unknown base policy 'paranoid' (known: performance, comprehensive, exec, leak)" <<'P'
base paranoid
P
bad 2 "base must come before all other lines: it would undo them" <<'P'
lockstep write
base exec
P
printf 'a\000b' >bad.policy
expect 125 "mvarmor: bad.policy: not a text file: it has a zero byte" "$mvarmor" run -p bad.policy touch ran
head -c 2000000 /dev/zero | tr '\0' '\n' >bad.policy
expect 125 "mvarmor: policy file bad.policy is longer than 1048576 bytes" "$mvarmor" run -p bad.policy touch ran
[ -e ran ] && fail "the program was run in spite of an error"
finish
