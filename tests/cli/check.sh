#!/bin/sh
# mvarmor check: text, JSON and exit status agree, and what is missing is seen.
. "$(dirname "$0")/lib.sh"

"$mvarmor" check >text 2>err
status=$?
[ -s err ] && fail "check writes to stderr: $(cat err)"
"$mvarmor" check --json >json || [ $? = $status ] || fail "check --json has another status"
case $status in
0) expect_in "mvarmor run can work on this machine; its default is -f " text; grep -q ^MISSING text && fail "missing, but status 0" ;;
1) expect_in "mvarmor run cannot work on this machine." text; grep -q ^MISSING text || fail "status 1, nothing missing" ;;
*) fail "status $status" ;;
esac
# Each thing that is missing or limited has its consequence and its cure.
lacking=$(grep -c '^MISSING\|^limited' text)
[ "$(grep -c '^         so: .' text)" = "$lacking" ] || fail "not every missing thing has a consequence"
[ "$(grep -c '^         cure: .' text)" = "$lacking" ] || fail "not every missing thing has a cure"
if command -v python3 >/dev/null; then
	python3 - $status <<'P' || fail "the JSON is wrong"
import json, sys
r = json.load(open("json"))
assert r["works"] == (sys.argv[1] == "0")
for name, works in r["frontends"].items():
    assert works == all(c["ok"] for c in r["checks"] if name in c["needed_by"]), name
assert sorted(r["frontends"]) == ["inproc", "ptrace"]
assert r["auto"] == next((name for name in ("inproc", "ptrace") if r["frontends"][name]), None)
assert r["works"] == (r["auto"] is not None)
names = [c["name"] for c in r["checks"]]
for name in ("kernel machine proc ptrace seccomp-trace pid-namespace set-tid ns-last-pid memory-code memory-room "
             "seccomp-place gs text-write mseal pkeys tsc cpuid mm-map files seccomp-notify").split():
    assert name in names, name
for c in r["checks"]:
    assert c["found"] and (c["ok"] or (c["consequence"] and c["cure"])), c
P
fi
# The probes leave nothing in the kernel's log, where it can be read: no other program has this name.
if dmesg >/dev/null 2>&1 && [ "$(cat /proc/sys/debug/exception-trace 2>/dev/null)" = 1 ]; then
	cp "$mvarmor" mva$$ && ./mva$$ check >/dev/null 2>&1
	[ $? = $status ] || fail "a copy of mvarmor has another status"
	dmesg | grep -F "mva$$[" && fail "check leaves lines in the kernel's log"
fi
(ulimit -n 100; "$mvarmor" check) >text
expect_in "limited  1024 open files: 100 now" text

[ $status = 0 ] || finish
# Without room for a monitor auto is ptrace.  What root may do to limits an ordinary user may not.
as_user=
[ "$(id -u)" = 0 ] && as_user='setpriv --reuid=65534 --regid=65534 --clear-groups'
if [ -z "$as_user" ] || $as_user "$mvarmor" --version >/dev/null 2>&1; then
	(ulimit -v 3000000; $as_user "$mvarmor" check) >text || fail "limited memory: status is not 0"
	expect_in "limited  limits of memory that leave room for a monitor: the hard limit" text
	expect_in "front-end inproc cannot work." text
	expect_in "front-end ptrace can work." text
	expect_in "its default is -f ptrace." text
fi
# Take things away, where we may, and see them missed.
if unshare -m true 2>/dev/null; then
	unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' - "$mvarmor" check >text 2>/dev/null
	[ $? = 1 ] || fail "without /proc: status is not 1"
	expect_in "MISSING  /proc mounted: /proc is not the proc file system" text
	expect_in "cure: mount -t proc proc /proc" text
	# unprivileged, and no user namespaces
	unshare -m -U -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_pid_namespaces
		exec "$@"' - "$mvarmor" check >text 2>/dev/null
	[ $? = 1 ] || fail "without namespaces: status is not 1"
	expect_in "MISSING  PID namespaces: unshare" text
	expect_in "sysctl user.max_" text
fi
finish
