#!/bin/dash
# A chain of shells that replace each other; descriptors and environment go along; arguments with spaces.
export CHAIN=1
exec 3> out
exec dash -c 'echo one >&3; CHAIN=2 exec dash -c "echo \$CHAIN >&3; exec cat out -" < /dev/null'
