#!/bin/sh
# find | xargs grep, -exec, -print0, xargs in parallel.
set -u
mkdir -p d/e/f
for i in $(seq 1 40); do echo "needle $((i % 5)) in file $i" > d/e/file$i.txt; done
echo nothing > "d/e/f/with space.txt"
find d -name '*.txt' -print0 | sort -z | xargs -0 grep -l 'needle 3'
find d -type f | xargs -d '\n' -n 7 grep -h needle | sort | cksum
find d -name 'file1*' -exec grep -c needle {} + | sort
find d -type f -print0 | xargs -0 -P 3 -n 5 wc -l | grep -v total | wc -l
touch -d '2001-01-01' d/e/file40.txt
find d -newer d/e/file40.txt -type f | wc -l
find /usr/share/common-licenses -type f | sort | xargs grep -l -i warranty | wc -l
grep -r --include='*.txt' -c 'needle 1' d | sort | tail -n 3
find d -name '*.txt' -delete
find d | sort
find /nonexistent
echo "status $?"
echo a b c | xargs -n 1 sh -c 'exit 3'
echo "status $?"
