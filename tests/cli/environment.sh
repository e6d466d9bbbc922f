#!/bin/sh
# The environment: bad values are told by name; the command line wins.
. "$(dirname "$0")/lib.sh"

limit="is not a number from 1 to 8 (MV_VARIANTS_MAX is 8; 1 is allowed and compares nothing)"
expect 125 "mvarmor: MV_NUM_PROC in the environment: '64' $limit" env MV_NUM_PROC=64 "$mvarmor" run true
expect 125 "mvarmor: MVARMOR_VARIANTS in the environment: '' $limit" env MVARMOR_VARIANTS= "$mvarmor" run true
expect 125 "mvarmor: MV_DONT_DETACH in the environment: 'perhaps' is neither 1 nor 0" \
	env MV_DONT_DETACH=perhaps "$mvarmor" run true
expect 125 "mvarmor: MV_UMEM in the environment: '10' is not a size from 1M to 1024G (bytes, or a number with K, M or G), nor auto" \
	env MV_UMEM=10 "$mvarmor" run true
expect 125 "mvarmor: MV_SLAB_PAD in the environment: 'x' is not a number from 0 to 524288 (bytes; so many always lie between two slabs)" \
	env MV_SLAB_PAD=x "$mvarmor" run true
expect 125 "mvarmor: RINGBUFFER_SIZE in the environment: '3' is not a power of two from 8 to 1048576 (records the leader may run ahead)" \
	env RINGBUFFER_SIZE=3 "$mvarmor" run true
expect 125 "mvarmor: cannot open no/file for messages: No such file or directory" \
	env MV_OUT_TO_FILE=no/file "$mvarmor" run true
expect 125 "mvarmor: -n: '9' $limit" env MV_NUM_PROC=3 "$mvarmor" run -n 9 true
# Other commands do not care.
MV_NUM_PROC=64 "$mvarmor" policies >/dev/null || fail "policies looks at MV_NUM_PROC"
finish
