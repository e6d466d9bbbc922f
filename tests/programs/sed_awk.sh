#!/bin/sh
# sed, awk (in-place, hold space, arrays, pipes from awk), tr, cut, paste, bc-like sums.
seq 1 3000 > n
sed -n '/7$/{s/^/<&/;p}' n | cksum
sed -i.orig -e '5,10d' -e 's/2/two/g' n
wc -l n n.orig
sed '1!G;h;$!d' n | head -n 3
awk '{ s += $1 } END { printf "%d %.3f\n", s, s / NR }' n.orig
awk 'BEGIN { for (i = 0; i < 200; i++) a[i % 7] += i; for (i = 0; i < 7; i++) print i, a[i] }'
awk 'BEGIN { while (("seq 3" | getline line) > 0) print "got", line; print "x" | "cat"; close("cat"); exit 4 }'
echo "status $?"
awk 'BEGIN { system("echo from system"); printf "to stderr\n" > "/dev/stderr" }'
tr a-z A-Z < n | tail -n 1
paste -d, n.orig n.orig | cut -d, -f2 | cmp - n.orig && echo equal
