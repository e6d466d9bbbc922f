#!/usr/bin/python3
# test: timeout=90
"""Violence from outside: processes that are killed, stopped and sent signals.  See cases.py."""
import os
import re
import signal
import subprocess
import sys
import time

import cases
from cases import LOG, MVARMOR, SLOWER, Ended, Wrong, below, case, program, sleepers, start, wait_for


@case
def kill_follower():
    """A follower killed from outside is reported as what it is, not as an attack by unknown means."""
    for n in (2, 3):
        process = start(["sleep", "100"], n=n)
        victims = wait_for("followers", lambda p=process, c=n - 1: sleepers(p, True, c))
        time.sleep(0.2)
        os.kill(victims[0], signal.SIGKILL)
        r = Ended(process, 20)
        r.must((86, 125))
        if not re.search(r"variant \d.*(SIGKILL|killed)", r.log):
            raise Wrong(f"the report does not say that a variant was killed: {r.log[:800]}")


@case
def stop_follower():
    """A SIGSTOP from outside means nothing to a follower, not even while it waits for a file of the leader's."""
    for _ in range(3):
        process = start([program("map_file")])
        victim = wait_for("follower", lambda p=process: sleepers(p, True, name="map_file"))[0]
        end = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < end:
            try:
                os.kill(victim, signal.SIGSTOP)
                time.sleep(0.0001)
                os.kill(victim, signal.SIGCONT)
            except ProcessLookupError:
                break
        try:
            Ended(process, 20).must(0, out="failed: 0\n")
        except subprocess.TimeoutExpired:
            raise Wrong("no end: somebody waits for ever") from None


@case
def stop_supervisor():
    """A stop of the supervisor's is a pause of the run: it may come while it starts, or hands files to followers."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i | head -n 1 | cat - /etc/hostname | wc -l; done"
    for _ in range(3):
        process = start(["sh", "-c", script])
        end = time.monotonic() + 20 * SLOWER
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
        Ended(process, 20).must(0, out="2\n" * 8)


@case
def kill_leader():
    process = start(["sleep", "100"])
    wait_for("follower", lambda: sleepers(process, True))
    victims = wait_for("leader", lambda: sleepers(process, False))
    time.sleep(0.2)
    os.kill(victims[0], signal.SIGKILL)
    Ended(process, 20).must(-signal.SIGKILL)


@case
def kill_supervisor():
    for argv in (["sleep", "100"], ["sh", "-c", "sleep 100 & sleep 101 & (setsid sleep 102) & wait"]):
        process = start(argv)
        wait_for("follower", lambda p=process, c=len(argv) - 1 if argv[0] == "sh" else 1: sleepers(p, True, c))
        time.sleep(0.3)
        there = below(process.pid)
        process.kill()
        process.communicate()

        def alive():
            return [p for p in there if os.path.exists(f"/proc/{p}") and
                    not re.search(r"State:\s+[ZX]", open(f"/proc/{p}/status").read())]
        end = time.monotonic() + 5
        left = list(there)
        while left and time.monotonic() < end:
            time.sleep(0.05)
            try:
                left = alive()
            except OSError:
                continue
        if left:
            raise Wrong(f"left behind: {[(p, there[p]) for p in left]}")


@case
def signals_forwarded():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        name = number.name[3:]
        script = f"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
        process = start(["bash", "-c", script])
        if process.stdout.readline() != "ready\n":
            raise Wrong("the program did not start: " + Ended(process, 10).log[:500])
        process.send_signal(number)
        Ended(process, 20).must(9, out=f"got {name}\n")
        process = start(["sleep", "100"])
        wait_for("leader", lambda p=process: sleepers(p, False))
        wait_for("follower", lambda p=process: sleepers(p, True))
        time.sleep(0.2)
        process.send_signal(number)
        Ended(process, 20).must(-number)


@case
def stop_and_continue():
    """SIGTSTP stops the program, SIGCONT lets it go on.  A group of its own in our session: an orphaned one is never stopped."""
    script = "echo ready; i=0; while [ $i -lt 20 ]; do i=$((i + 1)); sleep 0.05; done; exit 7"
    process = start(["bash", "-c", script], process_group=0)
    if process.stdout.readline() != "ready\n":
        raise Wrong("the program did not start: " + Ended(process, 10).log[:500])
    process.send_signal(signal.SIGTSTP)
    time.sleep(2)
    if process.poll() is not None:
        raise Wrong("not stopped: it went on to its end")
    process.send_signal(signal.SIGCONT)
    Ended(process, 20).must(7)


@case
def closed_descriptors():
    """Without standard input, output or error the program meets what it would natively."""
    script = "for fd in 0 1 2; do if [ -e /proc/self/fd/$fd ]; then echo $fd; fi; done > found; echo x; exit $?"
    for closed in ([0], [1], [2], [0, 1, 2]):
        def close(fds=tuple(closed)):
            for fd in fds:
                os.close(fd)
        statuses = []
        for prefix in ([], MVARMOR + ["-n", "2", "-o", LOG, "--"]):
            if os.path.exists("found"):
                os.unlink("found")
            r = subprocess.run(prefix + ["sh", "-c", script], preexec_fn=close, timeout=20 * SLOWER, close_fds=False,
                               stdin=None if 0 in closed else subprocess.DEVNULL, stdout=None if 1 in closed else subprocess.DEVNULL,
                               stderr=None if 2 in closed else subprocess.DEVNULL)
            with open("found") as f:
                statuses.append((r.returncode, f.read()))
        if statuses[0] != statuses[1]:
            raise Wrong(f"with {closed} closed: natively {statuses[0]}, under mvarmor {statuses[1]}")


if __name__ == "__main__":
    sys.exit(cases.main())
