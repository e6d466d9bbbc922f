#!/bin/sh
# test: timeout=60 n1
# A recursive listing of /etc: many stats, names of users and groups, dates.
ls -lR /etc/alternatives /etc/init.d /etc/default /etc/ssl/certs 2>&1 | sed -n '1,2000p'
ls -lR /etc | wc -l
ls --color=always -Fd /etc /bin/sh /dev/null
ls /nonexistent
echo "status $?"
