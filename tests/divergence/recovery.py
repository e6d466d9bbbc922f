#!/usr/bin/python3
# test: timeout=120
"""--on-divergence and --restart: what goes on after variants have disagreed, and that nothing else does.  See cases.py."""
import functools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "servers"), os.path.join(os.path.dirname(HERE), "attack")]
import cases  # noqa: E402
from cases import Ended, Wrong, below, case, program, run, sleepers, start, wait_for  # noqa: E402
from common import free_port  # noqa: E402
from target import read_maps, symbols  # noqa: E402

SEED = "7"
DROPPED = r"mvarmor: variant (\d) is dropped; (\d) of \d variants go on\n"


@functools.cache
def slices(n):
    """Which slice of the address space each variant has with that seed: what makes one of them odd."""
    run([program("print_address")], "--seed", SEED, "--report", "slices.json", n=n, policy="leak").must(86)
    with open("slices.json") as f:
        threads = json.load(f)["threads"]
    return {t["variant"]: int(t["registers"]["rsp"], 16) >> 43 for t in threads}


def odd(how, variant, mode, *options, n=2, policy="exec", busy=False, **more):
    argv = [program("odd_one"), how, str(slices(n)[variant])] + ["busy"] * busy
    return run(argv, "--seed", SEED, "--on-divergence", mode, *options, n=n, policy=policy, timeout=60, **more)


def dropped(r, *variants):
    """Those were dropped and no others; of each there is a report and a notice."""
    found = [int(m[0]) for m in re.findall(DROPPED, r.log)]
    if sorted(found) != sorted(variants) or len(re.findall("^mvarmor: divergence: ", r.log, re.M)) != len(variants):
        raise Wrong(f"dropped {found}, not {variants}\n{r.log[:3000]}")


# ---- a follower that disagrees ----

def drops(mode, how):
    def run_it():
        for policy in ("exec", "leak", "comprehensive"):
            for n in (2, 3):
                r = odd(how, n - 1, mode, n=n, policy=policy).must(0, out="done\n")
                dropped(r, n - 1)
    return run_it


for drop_how in ("call", "crash", "lockstep", "end"):
    function = drops("drop", drop_how)
    function.__name__ = "drop_" + drop_how
    function.__doc__ = f"{drop_how} in one follower: it goes, the others go on, down to the leader alone."
    case(function)


@case
def drop_busy():
    """With threads and processes of the variant everywhere: asleep, in calls, about to be made."""
    for policy in ("exec", "comprehensive"):
        for n in (2, 3):
            dropped(odd("call", n - 1, "drop", n=n, policy=policy, busy=True).must(0, out="done\n"), n - 1)


@case
def drop_absent():
    """A follower that does not come any more is dropped after the deadline."""
    dropped(odd("loop", 1, "drop", "--deadline", "1000").must(0, out="done\n"), 1)


@case
def drop_killed():
    """A follower that somebody kills is one that does not come."""
    process = start(["sleep", "3"], "--on-divergence", "drop", n=3)
    victims = wait_for("followers", lambda: sleepers(process, True, 2))
    os.kill(victims[0], signal.SIGKILL)
    r = Ended(process, 30).must(0)
    if len(re.findall(DROPPED, r.log)) != 1 or "was killed from outside" not in r.log:
        raise Wrong(r.log[:1000])


@case
def drop_leader_differs():
    """Under drop the leader is always right: it goes on alone, which is why this is not for what is attacked."""
    dropped(odd("call", 0, "drop", n=3).must(0, out="done\n"), 1, 2)


@case
def nothing_left():
    """What was the follower's is gone while the run goes on."""
    argv = ["sh", "-c", f"{program('odd_one')} call {slices(2)[1]} busy; sleep 3"]
    process = start(argv, "--seed", SEED, "--on-divergence", "drop")
    wait_for("drop", lambda: os.path.exists(cases.LOG) and re.search(DROPPED, open(cases.LOG).read()))
    wait_for("the follower's end", lambda: not any(foreign for _, foreign, _ in below(process.pid).values()))
    Ended(process, 30).must(0, out="done\n")


@case
def report():
    """As drop, but the end tells of it: by the exit status, and all reports are there."""
    r = odd("call", 0, "report", "--report", "r.json", "--status-fd", "1", n=3).must(86)
    dropped(r, 1, 2)
    status = json.loads(r.out.splitlines()[-1])
    if status != {"kind": "exited", "status": 0, "divergences": 2}:
        raise Wrong(f"status {status}")
    for number, name in ((1, "r.json"), (2, "r.2.json")):
        with open(name) as f:
            told = json.load(f)
        if told["number"] != number or not told["dropped"] or told["kind"] != "divergence":
            raise Wrong(f"{name}: {told['line']}")
    odd("call", 1, "report", "--divergence-status", "99").must(99, out="done\n")
    run(["true"], "--on-divergence", "report").must(0)


# ---- majorities ----

@case
def vote_follower():
    """A follower alone against the others goes; of the two that are left none is a majority."""
    for how in ("call", "crash", "lockstep"):
        for policy in ("exec", "comprehensive"):
            dropped(odd(how, 2, "vote", n=3, policy=policy, busy=True).must(0, out="done\n"), 2)


@case
def vote_no_majority():
    """All differ from each other."""
    r = run([program("print_address")], "--on-divergence", "vote", n=4, policy="leak").must(86, "divergence: ", out="")
    if re.search(DROPPED, r.log):
        raise Wrong(r.log[:1000])


@case
def vote_of_two():
    for n in (1, 2):
        run(["echo", "hello"], "--on-divergence", "vote", n=n).must(125, r"--on-divergence vote: of \d variants none is", out="")


@case
def bad_values():
    run(["true"], "--on-divergence", "dorp").must(125, r"--on-divergence: unknown on-divergence 'dorp': did you mean drop")
    run(["true"], "--restart=x").must(125, r"--restart: 'x' is not a number from 0")
    run(["true"], "--restart=-1").must(125, r"--restart: '-1' is not a number from 0")


# ---- a leader that crashes ----

@case
def leader_crashes():
    """Alone, in each mode: the run ends and says so.  Shared by a follower it is the program's own, under drop and vote."""
    for mode in ("kill", "report", "drop"):
        for n in (2, 3):
            r = odd("crash", 0, mode, n=n).must(86, r"divergence: the leader got SIGSEGV, variant \d calls", out="")
            if mode != "kill" and "the leader has crashed alone: the run ends" not in r.log:
                raise Wrong(r.log[:1000])


@case
def all_crash():
    for mode in ("drop", "vote"):
        run(["sh", "-c", "kill -SEGV $$"], "--on-divergence", mode, n=3).must(-signal.SIGSEGV)


@case
def leader_killed():
    """From outside it is the program's end, as natively."""
    process = start(["sleep", "100"], "--on-divergence", "drop", "--restart")
    victim = wait_for("leader", lambda: sleepers(process, False))[0]
    wait_for("follower", lambda: sleepers(process, True))
    time.sleep(0.2)
    os.kill(victim, signal.SIGKILL)
    Ended(process, 20).must(-signal.SIGKILL)


# ---- servers ----

def ask(port, request=b"hello"):
    with socket.create_connection(("127.0.0.1", port), timeout=20 * cases.SLOWER) as s:
        s.sendall(request)
        return s.recv(100).decode("ascii", "replace")


def answers(port):
    try:
        return ask(port)
    except OSError:
        return None


class Serving:
    """odd_server, up; it has to end by SIGTERM with nobody left."""

    def __init__(self, odd_slice, *options, **how):
        self.port = free_port()
        self.process = start([program("odd_server"), str(self.port), str(odd_slice)], *options, **how)
        self.up()

    def up(self):
        return wait_for("server", lambda: answers(self.port))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """The first signal is for the first process, the next for those that it leaves behind."""
        wait_for("end", lambda: self.ends(signal.SIGTERM if kind is None else signal.SIGKILL), 30)
        self.ended = Ended(self.process, 30)

    def ends(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)
            time.sleep(0.1)
        return self.process.poll() is not None


class Load(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.enough, self.answered, self.failed = port, threading.Event(), 0, []

    def run(self):
        while not self.enough.is_set():
            try:
                answer = ask(self.port)
            except OSError as e:
                answer = str(e)
            if answer.startswith("hello from "):
                self.answered += 1
            else:
                self.failed.append(answer)


def server_survives(mode, n, policy):
    with Serving(slices(n)[n - 1], "--seed", SEED, "--on-divergence", mode, n=n, policy=policy) as s:
        loads = [Load(s.port) for _ in range(3)]
        for load in loads:
            load.start()
        wait_for("load", lambda: all(load.answered > 5 for load in loads))
        if not ask(s.port, b"odd").startswith("hello"):
            raise Wrong("the odd request was not answered")
        wait_for("drop", lambda: re.search(DROPPED, open(cases.LOG).read()))
        before = [load.answered for load in loads]
        wait_for("service afterwards", lambda: all(load.answered > b + 20 for load, b in zip(loads, before)))
        for load in loads:
            load.enough.set()
            load.join()
        if any(load.failed for load in loads):
            raise Wrong(f"unanswered: {[load.failed[:3] for load in loads]}")
    dropped(s.ended.must(-signal.SIGTERM), n - 1)


@case
def server_drop():
    """A server under load loses a follower and nobody notices."""
    for n, policy in ((2, "exec"), (3, "comprehensive")):
        server_survives("drop", n, policy)


@case
def server_vote():
    server_survives("vote", 3, "leak")


# ---- restart ----

def workers(port):
    """The process that answered, and where its program is: what an attacker has leaked."""
    pid = int(ask(port).split()[-1])
    return next(m[0] for m in read_maps(pid) if m[4].endswith("/odd_server"))


def attack(port, base):
    try:
        return ask(port, b"A" * 32 + struct.pack("<Q", base + symbols(program("odd_server"))["win"]))
    except OSError as e:
        return str(e)


@case
def restart_after_attack():
    """The attack is stopped, the service comes back, elsewhere in memory; and so again."""
    with Serving(99, "--restart", "--report", "attack", policy="leak") as s:
        bases = []
        for number in range(1, 3):
            bases.append(workers(s.port))
            answer = attack(s.port, bases[-1])
            if "PWNED" in answer:
                raise Wrong("the attack has succeeded")
            wait_for("restart", lambda: f"mvarmor: restart {number} of the program in 0.{number}" in open(cases.LOG).read())
            s.up()
            if not os.path.exists("attack" if number == 1 else f"attack.{number}"):
                raise Wrong(f"no report of attack {number}")
        bases.append(workers(s.port))
        if len(set(bases)) != len(bases):
            raise Wrong("the same addresses again")
    s.ended.must(-signal.SIGTERM)


@case
def attack_succeeds_natively():
    port = free_port()
    with subprocess.Popen([program("odd_server"), str(port), "99"], start_new_session=True) as server:
        wait_for("server", lambda: answers(port))
        answer = attack(port, workers(port))
        os.killpg(server.pid, signal.SIGKILL)
    if answer != "PWNED\n":
        raise Wrong(f"natively the attack ends in {answer!r}")


@case
def restart_limit():
    """MAX restarts and no more; standard input stays where it is, and each run has a report."""
    argv = ["sh", "-c", f"read line; echo got $line; exec {program('print_address')}"]
    with open("lines", "w") as f:
        f.write("one\ntwo\nthree\nfour\n")
    with open("lines") as stdin:
        process = subprocess.Popen(cases.MVARMOR + ["-p", "leak", "-o", "log", "--restart=2", "--report", "r.json",
                                                    "--status-fd", "2", "--"] + argv, stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        r = Ended(process, 60)
    r.must(86, out="got one\ngot two\ngot three\n")
    status = json.loads(r.err.splitlines()[-1])
    if (status["divergences"], status["restarts"]) != (3, 2) or "no restart: that was the last one allowed" not in r.log:
        raise Wrong(f"{status}\n{r.log[-300:]}")
    if sorted(name for name in os.listdir(".") if re.match(r"r\.", name)) != ["r.2.json", "r.3.json", "r.json"]:
        raise Wrong(f"reports: {os.listdir('.')}")


@case
def restart_not():
    """What ends by itself, well or not, and what cannot run, is not started again."""
    for argv, status in ((["true"], 0), (["sh", "-c", "exit 5"], 5), (["sh", "-c", "kill -KILL $$"], -9), (["/nowhere"], 127),
                         ([program("unknown_call")], 87)):
        r = run(argv, "--restart").must(status)
        if "restart" in r.log:
            raise Wrong(r.log[:500])


@case
def restart_signal():
    """In the pause between two runs a signal ends mvarmor, and a second later there is nobody."""
    process = start([program("print_address")], "--restart", policy="leak")
    wait_for("pauses", lambda: os.path.exists(cases.LOG) and "restart 3 of" in open(cases.LOG).read(), 60)
    process.send_signal(signal.SIGTERM)
    Ended(process, 20).must((-signal.SIGTERM, 86))


if __name__ == "__main__":
    sys.exit(cases.main())
