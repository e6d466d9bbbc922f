#!/bin/sh
# libmultivar exports what its headers declare, all of it and nothing else.
# Usage: library-symbols.sh LIBMULTIVAR.so HEADERS_DIRECTORY
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$1" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | sort -u >"$work/exported"
printf '#include <multivar/multivar.h>\n#include <multivar/policy.h>\n#include <multivar/rules.h>\n' |
	${CC:-cc} -I"$2/.." -E -P - | tr -d '\n' | tr ';' '\n' | grep -o '\bmv_[a-z_]*(' | tr -d '(' | sort -u >"$work/declared"
if [ ! -s "$work/declared" ]; then
	echo "found no declarations in $2" >&2
	exit 1
fi
diff -u "$work/declared" "$work/exported"
