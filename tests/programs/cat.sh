#!/bin/sh
# Files, standard input, several at once, a missing one, and nothing at all.
seq 1 20000 > numbers
cat numbers | cat - numbers | cksum
cat numbers numbers missing > both
echo "status $?"
wc both
cat < /dev/null
cat numbers > /dev/full
echo "status $?"
head -c 3000000 /dev/zero | cat | wc -c
tail -n 2 numbers
