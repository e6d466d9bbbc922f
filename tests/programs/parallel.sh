#!/bin/sh
# test: timeout=60 threads=parallel needs=pigz,xz
# Compressors with threads that run at once; what comes out does not depend on which thread did what.
head -c 1500000 /usr/bin/python3.11 >data 2>/dev/null || head -c 1500000 /bin/bash >data
for n in 2 4; do
	pigz -p $n -1 -b 128 -n -c data >data.gz
	cksum <data.gz
	pigz -p $n -d -c data.gz | cmp - data && echo "pigz -p $n: equal"
done
xz -T2 --block-size=256KiB -0 -k -c data >data.xz
cksum <data.xz
xz -T2 -d -c data.xz | cmp - data && echo "xz: equal"
