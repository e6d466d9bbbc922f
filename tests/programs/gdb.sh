#!/bin/sh
# test: needs=gdb
# gdb starts, says its version, and evaluates without a program to debug.
gdb --version | head -n 1
gdb -nx -batch -ex 'print 6 * 7' -ex 'info line' -ex 'print $_siginfo'
echo "status $?"
