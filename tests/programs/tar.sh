#!/bin/sh
# test: timeout=90 needs=xz,gzip,bzip2
# tar with gzip, xz and bzip2, to files and through pipes, and back.
set -e
mkdir -p tree/sub
for i in $(seq 1 30); do seq 1 $((i * 50)) > tree/sub/f$i; done
ln -s sub/f1 tree/link
opts="--sort=name --mtime=2020-01-01 --owner=0 --group=0 --numeric-owner"
tar $opts -cf plain.tar tree
tar $opts -cf - tree | gzip -n -9 > a.tar.gz
tar $opts -czf b.tar.gz tree
tar $opts -cJf c.tar.xz tree
xz -T2 -k plain.tar
cksum plain.tar a.tar.gz
mkdir one two three
tar -xzf a.tar.gz -C one
xz -dc c.tar.xz | tar -xf - -C two
bzip2 -k plain.tar
tar -xjf plain.tar.bz2 -C three
diff -r one two && diff -r one three && echo same
xz -dc plain.tar.xz | cmp - plain.tar && echo same
tar -tzf b.tar.gz | head -n 5
gzip -t a.tar.gz && xz -t c.tar.xz && echo good
head -c 500 a.tar.gz > broken.gz
gzip -t broken.gz || echo "status $?"
