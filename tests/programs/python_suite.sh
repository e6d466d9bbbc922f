#!/bin/sh
# test: timeout=120 needs=python3 corners
# The standard library's own tests of select, poll and epoll.  All of them that matter here: make check-suites.
/usr/bin/python3 -m unittest -v test.test_select test.test_poll test.test_epoll > out 2>&1
echo "status $?"
grep -o '^Ran [0-9]* tests' out
grep -E -c '(ok|skipped .*)$' out
grep -E '(FAIL|ERROR)' out
