#!/bin/sh
# The engine must run inside of a program that has no libc: its objects may ask nobody outside of the engine for anything
# but the four functions that a compiler makes calls to by itself.  Usage: engine-symbols.sh LIBENGINE.a
set -eu
defined=$(nm --defined-only -g "$1" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
if [ -z "$defined" ]; then
	echo "$1 defines no symbols; is it the engine?" >&2
	exit 1
fi
foreign=$(nm --undefined-only "$1" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u |
	grep -vxF -e memcpy -e memset -e memmove -e memcmp -e _GLOBAL_OFFSET_TABLE_ | grep -vxF "$defined" || true)
if [ -n "$foreign" ]; then
	echo "the engine asks for symbols from outside:" $foreign >&2
	nm -A --undefined-only "$1" 2>/dev/null | grep -wF "$foreign" >&2
	exit 1
fi
