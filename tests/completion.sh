#!/bin/sh
# packaging/mvarmor.bash-completion is a copy of what mvarmor prints.  Usage: completion.sh MVARMOR COMPLETION
set -eu
bash -n "$2"
"$1" --bash-completion | diff -u "$2" - || {
	echo "bring it up to date with: mvarmor --bash-completion >packaging/mvarmor.bash-completion" >&2
	exit 1
}
