#!/bin/sh
# test: needs=busybox
# busybox, one static program in many roles, among them a shell with applets that never exec.
set -u
busybox sh -c '
for i in 1 2 3; do echo $i; done | busybox sed s/2/two/
busybox ls / > list; test -s list && echo listed
echo text | busybox tr a-z A-Z | busybox cat -
busybox seq 1 1000 | busybox awk "{ s += \$1 } END { print s }"
busybox mkdir -p a/b; busybox touch a/b/c; busybox find a
busybox tar -cf t.tar a; busybox tar -tf t.tar
busybox gzip -c t.tar | busybox gunzip | busybox cmp - t.tar && echo same
busybox md5sum t.tar > sum; busybox md5sum -c sum
busybox sleep 0.1 & wait $!; echo $?
exit 17'
echo "status $?"
ln -s "$(command -v busybox)" echo
./echo called by another name
busybox nonexistent
echo "status $?"
