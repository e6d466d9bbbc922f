#!/bin/bash
# Process substitution, here documents, here strings, globbing, arrays, printf, read with time-out, /dev/fd, /dev/tcp.
diff <(seq 1 5) <(seq 1 2 7)
echo $?
seq 1 4 | tee >(wc -l > count) > /dev/null
while [ ! -s count ]; do sleep 0.02; done
cat count
paste <(echo a) <(echo b) <(echo c)
cat << END
here $((1 + 2)) $(echo document)
END
cat <<- 'END'
	quoted $HOME
	END
cat <<< "here string"
long=$(printf 'x%.0s' {1..100000})
cat <<< "$long" | wc -c
touch a.c b.c c.h
echo *.c *.none
shopt -s nullglob extglob
echo *.none !(*.c|count)
declare -A map=([one]=1 [two]=2)
echo "${map[two]} ${#map[@]}"
read -r -t 0.1 line < <(sleep 0.4; echo late)
echo "read $(($? > 128))"
wait $!
cat /dev/fd/3 3< <(echo from fd 3)
echo to-stderr > /dev/stderr
printf '%5.2f|%-5s|%q\n' 3.14159 ab "it's"
(echo > /dev/tcp/127.0.0.1/1) 2> /dev/null
echo "tcp $?"
mapfile -t lines < <(seq 3)
echo "${lines[2]}"
eval 'echo $BASH_SUBSHELL'
