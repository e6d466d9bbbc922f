#!/bin/sh
# test: timeout=60
# cp -a of a tree with links, modes, times, a hole and odd names; moved, compared and removed.
set -e
mkdir -p tree/a/b/c "tree/with space"
for i in $(seq 1 60); do echo "content $i" > "tree/a/b/file$i"; done
ln -s ../a/b/file1 tree/a/link
ln tree/a/b/file2 tree/hard
ln -s /nonexistent tree/dangling
chmod 640 tree/a/b/file3
chmod 4711 tree/a/b/file4
touch -d '2001-02-03 04:05:06.789 UTC' tree/a/b/file5
truncate -s 1000000 tree/hole
mkfifo tree/fifo
cp -a tree copy
diff -r --no-dereference -x fifo tree copy && echo same
find copy -printf '%P %y %m %n %s %l\n' | sed 's/ d \([0-9]*\) \([0-9]*\) [0-9]*/ d \1 \2/' | sort
stat -c '%n %Y' copy/a/b/file5
cp -r --reflink=auto /usr/share/common-licenses lic
cat lic/* | cksum
mv copy moved
rm -rf tree moved/a
ls moved
cp missing nowhere || echo "status $?"
