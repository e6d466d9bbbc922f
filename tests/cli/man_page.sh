#!/bin/sh
# The manual page can be made, and has the options.
. "$(dirname "$0")/lib.sh"

command -v scdoc >/dev/null || skip "no scdoc"
command -v python3 >/dev/null || skip "no python3"
python3 "$source_root/tools/manpage.py" "$mvarmor" "$source_root/docs/mvarmor.1.scd" page.scd || fail "manpage.py"
scdoc <page.scd >page.1 2>err || fail "scdoc: $(cat err)"
expect_in 'same-at-random' page.1
expect_in 'EXIT STATUS' page.1
if command -v groff >/dev/null; then
	groff -ww -man -Tutf8 page.1 >text 2>err || fail "groff: $(cat err)"
	[ -s err ] && fail "groff warns: $(head -n 3 err)"
fi
finish
