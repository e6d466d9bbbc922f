#!/bin/sh
# Wrong usage: one clear line on stderr, status 125, nothing run.
. "$(dirname "$0")/lib.sh"

limit="is not a number from 1 to 8 (MV_VARIANTS_MAX is 8; 1 is allowed and compares nothing)"
none="(--help lists them)"
known="(known: performance, comprehensive, exec, leak, or the path of a policy file)"

expect 125 "mvarmor: no command given; there are run, check and policies (mvarmor --help)" "$mvarmor"
expect 125 "mvarmor: unknown command 'rum': did you mean run?" "$mvarmor" rum
expect 125 "mvarmor: unknown command '/bin/ls'; to run a program: mvarmor run -- /bin/ls" "$mvarmor" /bin/ls
expect 125 "mvarmor: unknown option '--varsion': did you mean --version?" "$mvarmor" --varsion
expect 125 "mvarmor: no program given; as in: mvarmor run -- PROGRAM ARGUMENTS" "$mvarmor" run
expect 125 "mvarmor: no program given; as in: mvarmor run -- PROGRAM ARGUMENTS" "$mvarmor" run -n 2 --
expect 125 "mvarmor: the program's name is empty" "$mvarmor" run -- ""
expect 125 "mvarmor: unknown option '--varaints': did you mean --variants?" "$mvarmor" run --varaints 2 touch ran
expect 125 "mvarmor: unknown option '-x' $none" "$mvarmor" run -x touch ran
expect 125 "mvarmor: -n: '0' $limit" "$mvarmor" run -n 0 touch ran
expect 125 "mvarmor: -n: '64' $limit" "$mvarmor" run -n 64 touch ran
expect 125 "mvarmor: --variants: 'two' $limit" "$mvarmor" run --variants=two touch ran
expect 125 "mvarmor: -f: unknown frontend 'qemu' (known: auto, inproc, ptrace)" "$mvarmor" run -f qemu touch ran
expect 125 "mvarmor: unknown policy 'leek': did you mean leak? $known" "$mvarmor" run -p leek touch ran
expect 125 "mvarmor: unknown policy 'nonesuch' $known" "$mvarmor" run -p nonesuch touch ran
expect 125 "mvarmor: cannot read policy file ./none: No such file or directory" "$mvarmor" run -p ./none touch ran
expect 125 "mvarmor: cannot read policy file $work: Is a directory" "$mvarmor" run -p "$work" touch ran
expect 125 "mvarmor: --ring: '100' is not a power of two from 8 to 1048576 (records the leader may run ahead)" \
	"$mvarmor" run --ring 100 touch ran
expect 125 "mvarmor: --arena: '5X' is not a size from 1M to 1024G (bytes, or a number with K, M or G), nor auto" \
	"$mvarmor" run --arena 5X touch ran
for n in 0 16385 99999999999999999999 -1; do
	expect 125 "mvarmor: --slab-max: '$n' is not a number from 1 to 16384 (objects in a slab)" "$mvarmor" run --slab-max $n touch ran
done
for n in 524289 1G -1; do
	expect 125 "mvarmor: --slab-pad: '$n' is not a number from 0 to 524288 (bytes; so many always lie between two slabs)" \
		"$mvarmor" run --slab-pad $n touch ran
done
for n in -1 18446744073709551616 0x10000000000000000 x; do
	expect 125 "mvarmor: --seed: '$n' is not a number of 64 bits (decimal, or hexadecimal with 0x)" "$mvarmor" run --seed $n touch ran
done
expect 125 "mvarmor: cannot open no/such/file for messages: No such file or directory" \
	"$mvarmor" run -o no/such/file touch ran
expect 125 "mvarmor: cannot write the report to no/such/file: No such file or directory" \
	"$mvarmor" run --report no/such/file touch ran
expect 125 "mvarmor: --status-fd 9: Bad file descriptor; open it for mvarmor, as in 9>status.json" \
	"$mvarmor" run --status-fd 9 touch ran
expect 125 "mvarmor: --status-fd 9: it is open for reading only" \
	sh -c 'exec "$@" 9</dev/null' - "$mvarmor" run --status-fd 9 touch ran
expect 125 "mvarmor: --status-fd: '-1' is not a number from 0 to 2147483647 (a descriptor that is open)" \
	"$mvarmor" run --status-fd -1 touch ran
expect 125 "mvarmor: check takes no arguments, but 'all' was given" "$mvarmor" check all
expect 125 "mvarmor: one name at a time, but 'leak' follows 'exec'" "$mvarmor" policies exec leak
expect 125 "mvarmor: cannot write to standard output: No space left on device" \
	sh -c 'exec "$@" >/dev/full' - "$mvarmor" --help
[ -e ran ] && fail "the program was run in spite of an error"
finish
