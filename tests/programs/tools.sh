#!/bin/sh
# test: heap
# Small programs with odd habits: env -i, nohup, setsid, nice, xargs, dd, mktemp, readlink, getent, time, tee, stty.
env -i A=1 B=2 env
env -u HOME sh -c 'echo ${HOME-unset}'
nohup echo nohup < /dev/null 2> /dev/null
setsid -w sh -c 'exit 8'; echo "setsid $?"
nice -n 5 nice
dd if=/dev/zero of=z bs=4k count=2000 2>&1 | head -n 2
dd if=z bs=1M skip=1 count=3 status=none | wc -c
mktemp -d -p . tmp.XXXXXXXX > name; test -d "$(cat name)" && echo made
readlink -f /bin/sh
getent passwd root
date -u -d '2020-02-29 12:00' +%s
test "$(date +%s)" -gt 1000000000 && echo now
echo text | tee t1 t2 > /dev/null; cmp t1 t2 && echo same
stty size < /dev/null; echo "stty $?"
expr 6 '*' 7; factor 1000003; seq -s, 5; basename /a/b.c .c
od -An -tx1 -N4 /bin/ls
printf 'b\na\n' | sort | md5sum
(ulimit -v 4000000; ls / > /dev/null; echo "limited $?")
strings -n 8 /bin/true | grep -c . | sed 's/[0-9][0-9]*/some/'
