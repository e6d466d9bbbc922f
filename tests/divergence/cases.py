"""What the files of cases have in common: how a run is started and judged.

FILE --list names the cases of a file, FILE NAME runs one: exit status 0 if all was as it must be, 77 to skip, else 1.
"""
import json
import os
import re
import subprocess
import sys
import time

MVARMOR = json.loads(os.environ.get("MV_TEST_MVARMOR", '["mvarmor", "run"]'))
PROGRAMS = os.path.join(os.environ.get("MV_TEST_BUILD", "build"), "tests", "divergence")
SLOWER = float(os.environ.get("MV_TEST_SLOWER", "1"))
LOG = "log"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Wrong(Exception):
    pass


class Skip(Exception):
    pass


def program(name):
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        raise Wrong(f"{path} was not built")
    return path


def start(argv, *options, n=2, policy="exec", **popen):
    if os.path.exists(LOG):
        os.unlink(LOG)
    command = MVARMOR + ["-n", str(n), "-p", policy, "-o", LOG, *options, "--"] + argv
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            errors="backslashreplace", **popen)


class Ended:
    """How a run ended: status (negative: signal), what the program wrote, what mvarmor said."""

    def __init__(self, process, timeout):
        try:
            self.out, self.err = process.communicate(timeout=SLOWER * timeout)
        except subprocess.TimeoutExpired:
            # Not communicate(): whoever is left may hold the pipes open.
            process.kill()
            process.wait()
            raise
        self.status = process.returncode
        self.log = ""
        if os.path.exists(LOG):
            with open(LOG, errors="replace") as f:
                self.log = f.read()
        # Notices may come first; the verdict is the first line that is not one.
        said = [line for line in (self.log + self.err).splitlines() if line.startswith("mvarmor: ")]
        verdicts = [line for line in said if re.match(r"mvarmor: (divergence|unsupported|failure):", line)]
        self.first = (verdicts or said or [""])[0]

    def must(self, status, first=None, out=None):
        wanted = status if isinstance(status, tuple) else (status,)
        if self.status not in wanted:
            raise Wrong(f"status {self.status}, not {wanted}\nout: {self.out[:500]}\nerr: {self.err[:500]}\n"
                        f"log: {self.log[:3000]}")
        if first is not None and not re.match("mvarmor: " + first, self.first):
            raise Wrong(f"first line is\n  {self.first}\nnot\n  mvarmor: {first}\nlog: {self.log[:1500]}\nerr: {self.err[:500]}")
        if out is not None and self.out != out:
            raise Wrong(f"the program's output is {self.out[:300]!r}, not {out!r}")
        return self


def run(argv, *options, timeout=30, n=2, policy="exec", **popen):
    try:
        return Ended(start(argv, *options, n=n, policy=policy, **popen), timeout)
    except subprocess.TimeoutExpired:
        raise Wrong(f"{argv[0]}: no end after {timeout} s") from None


def below(root):
    """All processes below root: pid -> (command name, in another PID namespace than ours, state)."""
    parents, info = {}, {}
    own = os.readlink("/proc/self/ns/pid")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                text = f.read()
            foreign = os.readlink(f"/proc/{entry}/ns/pid") != own
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text.rpartition(")")[2].split()
        parents[int(entry)] = int(rest[1])
        info[int(entry)] = (name, foreign, rest[0])
    found, grown = {root}, True
    while grown:
        more = {p for p, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return {p: info[p] for p in found - {root} if p in info}


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + SLOWER * seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Wrong(f"{what}: not within {seconds} s")


def sleepers(process, foreign, count=1, name="sleep"):
    found = [p for p, (n, other, _) in below(process.pid).items() if n == name and other == foreign]
    return found if len(found) >= count else None


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CASES))
        return 0
    try:
        CASES[sys.argv[1]]()
    except Wrong as e:
        print(e)
        return 1
    except subprocess.TimeoutExpired as e:
        print(f"no end after {e.timeout} s: {e.cmd}")
        return 1
    except Skip as e:
        print(e)
        return 77
    return 0
