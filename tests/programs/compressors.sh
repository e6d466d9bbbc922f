#!/bin/sh
# test: timeout=60 needs=xz,pigz,gzip corners
# xz and pigz with several threads; each reads what the other sort of run has written.
seq 300000 > data
xz -0 -T2 --block-size=300000 -k data && xz -t -T2 data.xz && xz -dc data.xz | cmp - data
echo "xz $?"
pigz -p 3 -b 128 -k -n data && gzip -t data.gz && pigz -dc -p 2 data.gz | cmp - data
echo "pigz $?"
cksum data.xz data.gz
pigz -p 4 -11 -I 1 -b 32 < /etc/passwd > /dev/null
echo "zopfli $?"
printf 'no compressed data' | pigz -dc 2>&1 | sed 's/[0-9]//g'
xz -T2 -dc /etc/passwd
echo "status $?"
