#!/bin/sh
# test: timeout=60 needs=rg,fdfind corners
# ripgrep and fd, written in Rust: directories walked and files searched by several threads.
mkdir -p tree/a/b tree/c/.hidden tree/d
for i in $(seq 40); do
	seq "$i" 200 > "tree/a/f$i.txt"
	echo "line $i" > "tree/c/g$i.md"
done
echo '*.md' > tree/.ignore
printf 'binary\0 199' > tree/d/bin
rg -j 2 --sort path -c '^199$' tree
rg -j 4 --no-ignore 'line (7|11)' tree | sort
rg -j 4 --hidden --files tree | sort | cksum
rg nothing-at-all tree; echo "status $?"
rg '(' tree 2> error; echo "status $?"; head -n 3 error
fdfind -j 4 . tree | sort | cksum
fdfind -j 2 -e txt -x wc -l '{}' ';' . tree | sort | tail -n 3
fdfind -j 2 '^f1' tree -X ls | wc -l
fdfind --version
rg --version > version; head -n 1 version
