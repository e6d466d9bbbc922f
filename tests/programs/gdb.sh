#!/bin/sh
# test: needs=gdb
# gdb starts and says its version.
gdb --version | head -n 1
gdb -nx --version | wc -l
echo "status $?"
