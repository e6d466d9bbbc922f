#!/usr/bin/python3
# test: timeout=90
"""Variants that disagree on purpose, and what is said of it.  See cases.py."""
import json
import os
import re
import subprocess
import sys
import time

import cases
from cases import LOG, Ended, Wrong, case, program, run, start


BYTES = r"argument 2 differs at byte \d+ \(leader 0x[0-9a-f]{2}, variant \d 0x[0-9a-f]{2}\)$"


@case
def print_address():
    """Detected under every policy and number; prevented (no output at all) where write waits."""
    for n, policy in ((2, "performance"), (2, "exec"), (2, "leak"), (2, "comprehensive"), (3, "exec"), (3, "leak")):
        r = run([program("print_address")], n=n, policy=policy)
        r.must(86, r"divergence: write\(1, \.\.\.\): " + BYTES, out="" if policy in ("leak", "comprehensive") else None)


@case
def print_address_alone():
    """One variant has nobody to disagree with."""
    if not re.fullmatch(r"address [0-9a-f]{16}\n", run([program("print_address")], n=1).must(0).out):
        raise Wrong("no address printed")


@case
def print_address_same_layout():
    """--layout same makes addresses equal: then this is no divergence."""
    r = run([program("print_address")], "--layout", "same", policy="leak").must(0)
    if not re.fullmatch(r"address [0-9a-f]{16}\n", r.out):
        raise Wrong(f"output {r.out!r}")


@case
def two_addresses():
    run([program("two_addresses")], policy="leak").must(86, r"divergence: write\(1, .*: (length of )?argument [23] differs", out="")


@case
def address_in_large_write():
    run([program("address_in_large_write")], policy="leak").must(86, r"divergence: write\(1, \.\.\.\): argument 2 differs", out="")


@case
def address_in_path():
    for policy in ("exec", "comprehensive"):
        run([program("address_in_path")], policy=policy).must(86, r"divergence: openat\(AT_FDCWD, \.\.\.\): " + BYTES)
        files = [f for f in os.listdir(".") if f.startswith("file-")]
        if policy == "comprehensive" and files:
            raise Wrong(f"created in spite of the lockstep: {files}")
        for name in files:
            os.unlink(name)


@case
def branch_on_address():
    run([program("branch_on_address")]).must(86, r"divergence: leader calls get[ug]id\(\), variant 1 calls get[ug]id\(\)$")


@case
def clock_by_address():
    """The backtrace goes on below a function of the vDSO."""
    r = run([program("clock_by_address")]).must(86, r"divergence: clock_getres\(\.\.\.\): argument 1 differs")
    if not re.search(r"in __vdso_clock_getres\+\w+ \(\[vdso\].*\n.* in clock_getres\+.*\n.* in ask\+.*\n.* in main\+", r.log):
        raise Wrong(f"no backtrace through the vDSO\nlog: {r.log[:4000]}")


@case
def exit_by_address():
    run([program("exit_by_address")]).must(86, r"divergence: exit_group\(.*\): argument 1 differs \(leader 0x[0-9a-f]+, variant 1 0x")


@case
def fault_in_one():
    """A fault in one variant is the attack; in all of them it would be the program's own (sys/die_segv)."""
    for n in (2, 3):
        run([program("fault_in_one")], n=n).must(
            86, r"divergence: (the leader got SIGSEGV, variant \d calls getppid\(\)|variant \d got SIGSEGV where the leader calls getppid)")


def absent(name, said, *options):
    """With the first seed that makes it the follower that is kept, and not the leader, the run ends soon, and says so."""
    for seed in range(1, 13):
        process = start([program(name)], *options, "--deadline", "1000", "--seed", str(seed))
        try:
            r = Ended(process, 5)
        except subprocess.TimeoutExpired:
            continue
        r.must(86, said)
        return
    raise Wrong("no seed from 1 to 12 kept the follower, or its absence was not noticed")


@case
def loop_in_one():
    """A follower that never arrives: found after the deadline.  Whose slice is the lowest is a matter of the seed, and a
    leader that loops is indistinguishable from one that computes."""
    absent("loop_in_one", r"divergence: variant 1 did not arrive at")


@case
def lock_in_one():
    """Likewise, but it sleeps, and a sibling of it lives on."""
    absent("lock_in_one", r"divergence: variant 1 did not arrive at getppid\(\)", "--threads=free")


@case
def stall_is_told():
    """--log stall says of every thread where it stands, long before the deadline ends the run."""
    for seed in range(1, 13):
        process = start([program("loop_in_one")], "--deadline", "6000", "--seed", str(seed), "--log", "stall")
        time.sleep(5)
        process.kill()
        process.wait()
        with open(LOG) as f:
            told = f.read()
        if not told:
            continue
        for pattern in (r"stall: host thread \d+ of variant 1 has had work for 3 s and made no step\n", r"stall: of 2 threads, 0 more",
                        r"stall: variant 0: thread \d+ ", r"stall: variant 1: .*: running; between calls, .* next call; "):
            if not re.search(pattern, told):
                raise Wrong(f"{pattern} is not in {told}")
        return
    raise Wrong("no seed from 1 to 12 made the follower loop, or the log said nothing of it")


@case
def child_prints_address():
    run([program("child_prints_address")], policy="leak").must(86, r"divergence: write\(1, \.\.\.\): " + BYTES, out="")


@case
def share_and_print():
    """Where processes share memory the report names the option that gives them one order, unless it was given."""
    for how, option, wanted in (("apart", "--turns=process", None), ("fork", "--turns=process", r"share memory .* --turns=shared "),
                                ("wait", "--turns=process", r"wait for each other in memory .* --turns=shared "),
                                ("name", "--turns=process", r"waits for others in memory .* --turns=variant "),
                                ("wait", "--turns=shared", None)):
        r = run([program("share_and_print"), how], option, "--report", "report.json").must(86, r"divergence: write\(1, \.\.\.\): ")
        with open("report.json") as f:
            hint = json.load(f)["hint"]
        told = re.search(r"^  hint +(.*)$", r.log, re.M)
        if (told and told[1]) != hint or (hint is None) != (wanted is None) or (wanted and not re.search(wanted, hint)):
            raise Wrong(f"{how} {option}: hint {hint!r} in JSON\n{r.log[:1000]}")


@case
def print_at_random():
    run([program("print_at_random")], policy="leak").must(86, r"divergence: write\(1, \.\.\.\): " + BYTES, out="")
    run([program("print_at_random")], "--same-at-random", policy="leak").must(0)


@case
def late_for_signal():
    """A signal that the leader took when the follower was still before the last call: it is told when it comes there.  Which
    variant is late is a matter of the seed."""
    for seed in range(1, 9):
        run([program("late_for_signal"), "1"], "--seed", str(seed), timeout=10).must(0, out="caught\n")


@case
def busy_for_signals():
    """Signals that the leader takes while the follower makes the calls that the leader has made: none of them makes it deaf to
    those that come when it makes no more calls."""
    for seed in range(1, 5):
        run([program("late_for_signal"), "20", "10000"], "--seed", str(seed), "--ring", "32768", timeout=20).must(0, out="caught\n")


@case
def divergence_status():
    run([program("print_address")], "--divergence-status", "99").must(99, "divergence: write")


@case
def report_json():
    r = run([program("print_address")], "--report", "report.json", policy="leak").must(86)
    with open("report.json") as f:
        report = json.load(f)
    if "mvarmor: " + report["line"] != r.first or report["kind"] != "divergence" or report["variants"] != 2:
        raise Wrong(f"report says {report['kind']}, {report['line']}")
    if len(report["threads"]) != 2:
        raise Wrong(f"{len(report['threads'])} threads in the report")


def pointers_named(how, wanted, policy="leak"):
    """What of the differing bytes are pointers, and where each variant's points: (offset, end of the mapping's name)."""
    for n in (2, 3):
        r = run([program("leak_pointers"), how], "--report", "report.json", n=n, policy=policy).must(86, r"divergence: ", out="")
        with open("report.json") as f:
            difference = json.load(f)["difference"]
        found = difference["pointers"]
        if [p["offset"] for p in found] != [offset for offset, _ in wanted]:
            raise Wrong(f"pointers {found}, not {wanted}\n{r.log[:2000]}")
        for p, (_, name) in zip(found, wanted):
            if p["digits"] != (how == "digits"):
                raise Wrong(f"digits: {p}")
            for side in ("leader", "other"):
                region, value = p[side]["region"], int(p[side]["value"], 16)
                called = region["name"] or ""
                if not int(region["start"], 16) <= value < int(region["end"], 16) or not called.endswith(name):
                    raise Wrong(f"{how}, {side}: {p}, not in {name}")
                where = os.path.basename(called) or "anonymous memory"
                who = "leader" if side == "leader" else f"variant {difference['variant']}"
                if not re.search(rf"^  {who} +0x{value:x}  in {re.escape(where)}\+0x\w+ ", r.log, re.M):
                    raise Wrong(f"the text does not say where {value:#x} of the {who} points\n{r.log[:2000]}")


@case
def pointers_in_bytes():
    pointers_named("bytes", [(3, "/leak_pointers"), (11, ""), (19, "[stack]"), (27, "/libc.so.6")])


@case
def pointers_in_digits():
    pointers_named("digits", [(3, ""), (23, "[stack]")])


@case
def pointer_as_argument():
    pointers_named("argument", [(None, "[stack]")], "comprehensive")


@case
def address_in_pipe():
    """In a pipe of its own making what an address means must be the same, elsewhere all its bytes."""
    for n in (2, 3):
        run([program("address_in_pipe"), "place"], n=n, policy="leak").must(0, out="")
        for what in "elsewhere", "others":
            run([program("address_in_pipe"), what], n=n, policy="leak").must(86, r"divergence: write\(", out="")


def diverge_ahead(more):
    """Let the leader make that many calls after the one that differs; the report's text, and the leader's call in its JSON."""
    for seed in range(1, 41):
        r = run([program("run_ahead"), str(more)], "--seed", str(seed), "--report", "report.json")
        if r.status == 0:
            continue    # both variants in the same half
        r.must(86, r"divergence: write\(99, \.\.\.\): argument 2 differs at byte 0")
        with open("report.json") as f:
            report = json.load(f)
        ahead = [c for t in report["threads"] if t["leader"] for c in t["history"] if c["name"] == "write"]
        if ahead and int(ahead[-1]["args"][2], 0) == 4 + more:
            return r.log, report["difference"]["leader"]["call"]
    raise Wrong("the leader ran ahead with none of the seeds")


@case
def run_ahead():
    """The report shows the leader's call that the follower disagreed with, whatever calls like it the leader has made since."""
    log, call = diverge_ahead(3)
    if not re.search(r"\n  leader     write\(99, 0x[0-9a-f]{4,}, 4\)\n.*in \[stack\].*\n  variant 1  write\(99, 0x[0-9a-f]{4,}, 4\)\n", log):
        raise Wrong(f"not side by side:\n{log[:1500]}")
    if call["args"][2] != "0x4" or int(call["args"][1], 0) < 2:
        raise Wrong(f"JSON has {call}")


@case
def run_far_ahead():
    """When the leader has made too many calls since, what was compared is shown, and nothing is made up for the rest."""
    log, call = diverge_ahead(40)
    if not re.search(r"\n  leader     write\(99, \.\.\., 4\)\n +as compared: it is not among the leader's last 16 calls any more\n"
                     r"  variant 1  write\(99, 0x[0-9a-f]{4,}, 4\)\n", log):
        raise Wrong(f"not as compared:\n{log[:1500]}")
    if call["args"] != ["0x63", None, "0x4"] or call["text"] != "write(99, ..., 4)":
        raise Wrong(f"JSON has {call}")


@case
def status_fd():
    r, w = os.pipe()
    run([program("print_address")], "--status-fd", str(w), pass_fds=[w]).must(86)
    os.close(w)
    status = json.loads(os.read(r, 10000))
    if status["kind"] != "divergence" or status["status"] != 86:
        raise Wrong(f"status is {status}")


if __name__ == "__main__":
    sys.exit(cases.main())
