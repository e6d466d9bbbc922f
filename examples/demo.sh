#!/bin/bash
# What MvArmor does, on two real things: nginx under two variants answers requests; a vulnerable server that is exploited
# natively is stopped when the same exploit is aimed at its variants.  Usage: examples/demo.sh [BUILD]
# Ends with status 0 if all of it went as told.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/mvarmor-demo.XXXXXX")
server=
failures=0

clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

title() { printf '\n=== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
wrong() { printf '!!! %s\n' "$*"; failures=$((failures + 1)); }

# Wait until the last line of the server's output tells that it listens, or until it is dead.
wait_for() {
	local what=$1 file=$2
	for _ in $(seq 200); do
		grep -q -- "$what" "$file" 2>/dev/null && return 0
		kill -0 "$server" 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

# The exit status of the server; ends it by force when it takes longer than ten seconds.
server_status() {
	local process=$server
	for _ in $(seq 200); do
		kill -0 "$process" 2>/dev/null || break
		sleep 0.05
	done
	kill -9 "$process" 2>/dev/null
	server=
	wait "$process" 2>/dev/null
}

nginx_part() {
	title "nginx under two variants"
	local nginx port
	nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { wrong "nginx is not installed: tools/setup demo"; return; }
	port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	chmod 755 "$work"
	mkdir -p "$work/www"
	echo "Hello from nginx, whose every system call was agreed upon by two variants." >"$work/www/index.html"
	cat >"$work/nginx.conf" <<-CONF
		worker_processes 1;
		error_log stderr notice;
		pid $work/nginx.pid;
		events { worker_connections 64; }
		http {
			access_log $work/access.log;
			client_body_temp_path $work/body;
			proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi;
			uwsgi_temp_path $work/uwsgi;
			scgi_temp_path $work/scgi;
			server { listen 127.0.0.1:$port; root $work/www; }
		}
	CONF
	show "mvarmor run -n 2 -- nginx -c nginx.conf -g 'daemon off;'   # master and worker"
	"$build/mvarmor" run -n 2 -- "$nginx" -e stderr -p "$work" -c "$work/nginx.conf" -g 'daemon off;' \
		>"$work/nginx.out" 2>&1 </dev/null &
	server=$!
	for _ in $(seq 200); do
		curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$port/" && break
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
	show "curl -i http://127.0.0.1:$port/"
	curl -s -S -i --max-time 10 "http://127.0.0.1:$port/" | tr -d '\r' | tee "$work/answer"
	grep -q '^Hello from nginx' "$work/answer" || wrong "nginx did not answer"
	for _ in $(seq 20); do
		curl -s --max-time 10 "http://127.0.0.1:$port/"
	done >"$work/answers"
	echo "... and $(grep -c '^Hello from nginx' "$work/answers") of 20 more requests are answered alike"
	[ "$(grep -c '^Hello from nginx' "$work/answers")" = 20 ] || wrong "not all requests were answered"
	show "kill -TERM \$!; wait \$!"
	kill -TERM "$server"
	server_status
	local status=$?
	echo "exit status $status"
	[ "$status" = 0 ] || { wrong "nginx should have ended with status 0"; cat "$work/nginx.out"; }
}

# Start the guest book, natively (no arguments) or under a command; sets port and pid.
guestbook() {
	"$@" "$build/examples/vulnerable/guestbook" >"$work/guestbook.out" 2>"$work/guestbook.err" </dev/null &
	server=$!
	if ! wait_for 'listens on port' "$work/guestbook.out"; then
		wrong "the guest book did not start"
		cat "$work/guestbook.err"
		return 1
	fi
	cat "$work/guestbook.out"
	port=$(sed -n 's/.*listens on port //p' "$work/guestbook.out")
	pid=$(sed -n 's/.*process \([0-9]*\) .*/\1/p' "$work/guestbook.out")
}

exploit() {
	timeout 30 /usr/bin/python3 "$here/vulnerable/exploit.py" "$@"
}

native_part() {
	title "A server with two bugs, run natively (address space randomisation: $(cat /proc/sys/kernel/randomize_va_space))"
	show "guestbook &"
	guestbook || return
	show "exploit.py $port"
	exploit "$port" || wrong "the exploit should work natively"
	kill "$server"
	server_status
}

# $1: what the exploit gets besides the port; $2: the policy
armed_part() {
	show "mvarmor run -n 2 -p $2 -- guestbook &"
	guestbook "$build/mvarmor" run -n 2 -p "$2" -- || return
	local secret=
	[ "$1" = leak ] || secret=$pid
	show "exploit.py $port $secret"
	exploit "$port" $secret && wrong "the exploit should not have worked"
	server_status
	local status=$?
	# Without the registers and memory maps, which fill a screen for each variant.
	sed '/^  registers/,$d' "$work/guestbook.err"
	echo "  [$(sed '1,/^  registers/d' "$work/guestbook.err" | wc -l) more lines: registers, memory map, the same of variant 1]"
	echo "exit status $status"
	[ "$status" = 86 ] || wrong "the divergence should have been told by exit status 86"
}

nginx_part
native_part
title "The same exploit under MvArmor, policy leak: the first bug already tells the variants apart, nothing gets out"
armed_part leak leak
title "An attacker who was told the leader's addresses, policy exec: they are wrong in the other variant, nothing is run"
armed_part told exec

if [ "$failures" != 0 ]; then
	title "$failures things went wrong"
	exit 1
fi
title "All of it went as told"
