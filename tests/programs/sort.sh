#!/bin/sh
# test: timeout=60
# sort with temporary files and several threads, uniq, comm, join, shuf from a given source, split.
seq 1 60000 | awk '{ print ($1 * 7919) % 60013, "line", $1 }' > data
sort -n data | cksum
sort -S 200K -T . -k3,3nr data | head -n 3
sort --parallel=4 -k2 -k1n data | tail -n 2
sort -u -k2,2 data
cut -d' ' -f1 data | sort | uniq -c | sort -rn | head -n 2 | tr -s ' '
head -n 100 data | sort > a
tail -n +51 data | head -n 100 | sort > b
comm -12 a b | wc -l
join a b | wc -l
shuf --random-source=data -n 5 data
split -l 10000 data part.
ls part.*
cat part.* | cmp - data && echo equal
