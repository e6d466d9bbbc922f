#!/usr/bin/python3
# test: timeout=90
"""Runs that must not end well: variants that disagree, bad input, violence from outside.

cases.py --list names the cases; cases.py NAME runs one: exit status 0 if all was as it must be, 77 to skip, else 1.
"""
import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MVARMOR = json.loads(os.environ.get("MV_TEST_MVARMOR", '["mvarmor", "run"]'))
DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "data")
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


# ---- variants that disagree ----

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


@case
def loop_in_one():
    """A follower that never arrives: found after the deadline.  Whose slice is the lowest is a matter of the seed, and a
    leader that loops is indistinguishable from one that computes."""
    for seed in range(1, 13):
        process = start([program("loop_in_one")], "--deadline", "1000", "--seed", str(seed))
        try:
            r = Ended(process, 5)
        except subprocess.TimeoutExpired:
            continue
        r.must(86, r"divergence: variant 1 did not arrive at")
        return
    raise Wrong("no seed from 1 to 12 made the follower loop, or its absence was not noticed")


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
        for pattern in (r"stall: host thread \d+ of variant 1 has had work for 3 s and made no step; of 2 threads",
                        r"stall: variant 0: thread \d+ ", r"stall: variant 1: .*: running; between calls, .* next call; "):
            if not re.search(pattern, told):
                raise Wrong(f"{pattern} is not in {told}")
        return
    raise Wrong("no seed from 1 to 12 made the follower loop, or the log said nothing of it")


@case
def child_prints_address():
    run([program("child_prints_address")], policy="leak").must(86, r"divergence: write\(1, \.\.\.\): " + BYTES, out="")


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


# ---- bad input ----

@case
def unknown_call():
    run([program("unknown_call")]).must(87, r"unsupported: .*511", out="before\n")


@case
def foreign_segment():
    """Shared memory that others have made cannot be had in twins."""
    key = 0x4D000000 + os.getpid()
    made = subprocess.run(["perl", "-e", f"print shmget({key}, 4096, 01600)"], stdout=subprocess.PIPE, text=True, check=True).stdout
    try:
        run(["perl", "-e", f"print 'before'; $| = 1; print shmget({key}, 4096, 0600), 'after'"]).must(
            87, "unsupported: shmget: .*", out="before")
        run(["perl", "-e", f"$| = 1; print 'before'; shmread({made}, $x, 0, 1); print 'after'"]).must(
            87, "unsupported: (shmctl|shmat): .*", out="before")
    finally:
        subprocess.run(["ipcrm", "-m", made], check=True)


@case
def other_ways_to_call():
    """Calls that are not made by the syscall instruction with a number of x86-64: not made, and said so."""
    for way in ("int_0x80", "sysenter"):
        natively = subprocess.run([program("refused"), way], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        if natively == -signal.SIGILL:
            continue
        run([program("refused"), way]).must(87, r"unsupported: .*a 32-bit system call", out="before\n")
    run([program("refused"), "x32"]).must(87, r"unsupported: .*1073741934", out="before\n")


@case
def only_with_ptrace():
    """What a monitor inside of the process has no room for."""
    for way, line, native in (("set_gs", r"unsupported: arch_prctl\(ARCH_SET_GS\): .*use -f ptrace", "42"),
                              ("clone_apart", r"unsupported: a clone .*use -f ptrace", "3")):
        run([program("refused"), way], "-f", "inproc").must(87, line, out="before\n")
        run([program("refused"), way], "-f", "ptrace").must(0, out=f"before\n{native}\n")


@case
def auto():
    """auto is inproc, and ptrace, which it says, where a hard limit of memory has no room for a monitor."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    # What gs is, and whether calls may be in gs, is the front-end's way to be known.
    run([program("refused"), "set_gs"], "-f", "auto").must(87, ".*use -f ptrace")
    os.chmod(".", 0o777)
    r = run([program("refused"), "set_gs"], "-f", "auto", preexec_fn=limit).must(0, out="before\n42\n")
    if not r.log.startswith("mvarmor: front-end inproc cannot run here: the hard limit of memory (ulimit -H -v) leaves no room"):
        raise Wrong(f"log: {r.log}")
    run([program("refused"), "set_gs"], "-f", "inproc", preexec_fn=limit).must(125, "the hard limit of memory .ulimit -H -v", out="")


@case
def not_found():
    for name in ("no-such-program", "./no-such-program", "/no/such/dir/program"):
        run([name]).must(127, ".*" + re.escape(name))


@case
def not_executable():
    with open("plain", "w") as f:
        f.write("#!/bin/sh\n")
    os.chmod("plain", 0o644)
    run(["./plain"]).must(126, r".*\./plain")
    run(["/"]).must(126, ".*/")


def make_executable(name, data):
    with open(name, "wb") as f:
        f.write(data)
    os.chmod(name, 0o755)
    return "./" + name


def native_status(path):
    try:
        return subprocess.run([path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=10 * SLOWER).returncode
    except OSError:
        return 126


@case
def not_elf():
    for name, data in (("empty", b""), ("text", b"hello\n"), ("garbage", bytes(range(1, 200))), ("magic", b"\x7fELF")):
        run([make_executable(name, data)]).must(126, rf".*{name}")


@case
def truncated_elf():
    with open("/bin/true", "rb") as f:
        whole = f.read()
    for length in (20, 64, 100, 700):
        run([make_executable(f"true{length}", whole[:length])]).must(126, rf".*true{length}")
    for length in (4096, 9000, len(whole) // 2):
        path = make_executable(f"true{length}", whole[:length])
        run([path]).must((126, 125, native_status(path)))


@case
def foreign_elf():
    """Headers of other machines: 32-bit x86, AArch64, big-endian."""
    with open("/bin/true", "rb") as f:
        whole = bytearray(f.read())
    elf32 = bytearray(b"\x7fELF\x01\x01\x01" + bytes(9)) + (2).to_bytes(2, "little") + (3).to_bytes(2, "little") \
        + (1).to_bytes(4, "little") + (0x08048054).to_bytes(4, "little") + (52).to_bytes(4, "little") + bytes(8) \
        + (52).to_bytes(2, "little") + (32).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(6) \
        + (1).to_bytes(4, "little") + bytes(4) + (0x08048000).to_bytes(4, "little") * 2 + (0x60).to_bytes(4, "little") * 2 \
        + (5).to_bytes(4, "little") + (0x1000).to_bytes(4, "little") + b"\xb8\x01\x00\x00\x00\xbb\x07\x00\x00\x00\xcd\x80"
    run([make_executable("elf32", elf32)]).must(126, r".*elf32")
    whole[18] = 183
    run([make_executable("aarch64", whole)]).must(126, r".*aarch64")
    whole[18], whole[5] = 62, 2
    run([make_executable("bigendian", whole)]).must((126, native_status("./bigendian")))


@case
def missing_interpreter():
    with open("/bin/true", "rb") as f:
        whole = f.read()
    patched = whole.replace(b"/lib64/ld-linux-x86-64.so.2", b"/lib64/ld-linux-x86-64.so.7")
    if patched == whole:
        raise Skip("/bin/true has another interpreter")
    run([make_executable("nointerp", patched)]).must((126, 127), ".*nointerp")
    run([make_executable("script", b"#!/no/such/interpreter\n")]).must((126, 127), ".*script")


@case
def few_descriptors():
    """With hardly any descriptors it works, or it says what there are too few of."""
    def limit(count):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
    failures = 0
    for count in (4, 6, 8, 12, 16, 24, 64):
        r = run(["echo", "hello"], preexec_fn=limit(count))
        if r.status == 0 and r.out == "hello\n":
            continue
        failures += 1
        r.must(125, r".*(descriptor|open files|RLIMIT_NOFILE|Too many)")
    if failures == 7:
        raise Wrong("not even 64 descriptors were enough")


@case
def tiny_arena():
    r = run(["echo", "hello"], "--arena", "64K").must(125, ".*arena", out="")
    if "64K" not in r.first:
        raise Wrong(f"the value is not named: {r.first}")


@case
def full_arena():
    run([program("many_children")], "--arena", "1M", timeout=60).must(125, r".*arena")
    run([program("many_children")], timeout=60).must(0, out="300 children\n")


@case
def no_proc():
    if os.getuid() != 0:
        raise Skip("needs root")
    script = "mount --make-rprivate / && umount -l /proc && exec \"$@\""
    r = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh"] + MVARMOR + ["--", "echo", "hello"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30 * SLOWER)
    if r.returncode != 125 or "/proc" not in r.stderr:
        raise Wrong(f"status {r.returncode}, stderr {r.stderr[:500]}")


@case
def no_pid_namespaces():
    """The limit is set in a user namespace of its own: the machine's stays."""
    script = "echo 0 > /proc/sys/user/max_pid_namespaces && exec \"$@\""
    if subprocess.run(["unshare", "-Ur", "sh", "-c", script, "sh", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no user namespaces here")
    r = subprocess.run(["unshare", "-Ur", "sh", "-c", script, "sh"] + MVARMOR + ["--", "echo", "hello"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30 * SLOWER)
    if r.returncode != 125 or "namespace" not in r.stderr or r.stdout:
        raise Wrong(f"status {r.returncode}, stdout {r.stdout[:200]}, stderr {r.stderr[:500]}")


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


class Ordinary:
    """A directory of nobody's with what is to be run as nobody, wherever it was built; each run has one of its own in it."""

    def __enter__(self):
        if os.getuid() != 0:
            raise Skip("not root: everything else runs unprivileged already")
        if not shutil.which("setpriv"):
            raise Skip("no setpriv")
        self.path = "/tmp/" + os.path.basename(os.getcwd()) + f".{os.getpid()}"
        os.mkdir(self.path, 0o755)
        os.chown(self.path, 65534, 65534)
        self.mvarmor = [self.copy(MVARMOR[0])] + MVARMOR[1:] + ["-n", "2", "--"]
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def copy(self, path):
        to = shutil.copy(path, self.path)
        os.chmod(to, 0o755)
        return to

    def run(self, argv):
        cwd = tempfile.mkdtemp(dir=self.path)
        os.chown(cwd, 65534, 65534)
        return subprocess.run(NOBODY + argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=30 * SLOWER)


@case
def unprivileged():
    """The same as nobody, who cannot read where it was built."""
    with Ordinary() as nobody:
        r = nobody.run(nobody.mvarmor + ["sh", "-c", "id -u; cat < /etc/hostname | wc -l; exit 5"])
    if "user namespace" in r.stderr and r.returncode == 125:
        raise Skip("no user namespaces here, and mvarmor says so")
    if r.returncode != 5 or not r.stdout.startswith("65534\n"):
        raise Wrong(f"status {r.returncode}, stdout {r.stdout[:200]}, stderr {r.stderr[:500]}")


@case
def unprivileged_programs():
    """What needs the most of the supervisor, as nobody: processes, threads, signals, exec, open files for followers, limits."""
    with Ordinary() as nobody:
        for name in ("fork_tree", "threads", "timer_storm", "exec_chain", "mmap_file", "proc_maps", "memory_limits",
                     "limit_processes", "vsyscall", "seccomp_filter"):
            program = nobody.copy(os.path.join(os.path.dirname(PROGRAMS), "sys", name))
            ends = []
            for prefix in ([], nobody.mvarmor):
                r = nobody.run(prefix + [program])
                ends.append((r.returncode, r.stdout))
                if "user namespace" in r.stderr and r.returncode == 125:
                    raise Skip("no user namespaces here, and mvarmor says so")
            if ends[0] != ends[1]:
                raise Wrong(f"{name}: natively {ends[0]}\nunder mvarmor {ends[1]}\n{r.stderr[:1000]}")


# ---- violence from outside ----

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


# ---- the diversifying heap: the same addresses of everything else ----

def heap_attack(name, succeeds):
    """Works natively and in equal variants; with the heap the variants disagree, and nothing gets out."""
    if subprocess.run([program(name)], stdout=subprocess.PIPE, text=True, check=True).stdout != succeeds:
        raise Wrong(f"{name} does not work natively")
    run([program(name)], "--layout", "same", policy="leak").must(0, out=succeeds)
    for who in ("all", "followers"):
        for n in (2, 3):
            for seed in ("1", "2", "3"):
                r = run([program(name)], "--layout", "same", "--heap", who, "--seed", seed, n=n, policy="leak")
                r.must(86, r"divergence: ", out="")


@case
def heap_overflow():
    heap_attack("heap_overflow", "object 11 is now 1000\n")


@case
def heap_use_after_free():
    heap_attack("heap_use_after_free", "level 99\n")


@case
def heap_stale():
    heap_attack("heap_stale", "the secret\n")


@case
def heap_stale_unfilled():
    """Without the fill it is zeros, in all variants."""
    run([program("heap_stale")], "--layout", "same", "--heap", "all", "--heap-fill", "off", policy="leak").must(0, out="\0" * 11)


@case
def heap_hidden():
    """The program does not see that a library was preloaded, and finds its auxiliary vector behind the environment."""
    script = "env -i A=1 env; env | grep -c LD_; LD_PRELOAD=libc.so.6 env | grep LD_PRE; tr '\\0' '\\n' < /proc/self/environ | grep -c mvheap"
    r = run(["sh", "-c", script], "--heap", "all", env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": "/x"})
    r.must(1, out="A=1\n1\nLD_PRELOAD=libc.so.6\n0\n")
    look = ("import ctypes; c = ctypes.CDLL(None); e = ctypes.POINTER(ctypes.c_ulong).in_dll(c, 'environ'); i = 0\n"
            "while e[i]: i += 1\n"
            "i += 1; found = {}\n"
            "while e[i]: found[e[i]] = e[i + 1]; i += 2\n"
            "c.getauxval.restype = ctypes.c_ulong; print(all(c.getauxval(t) == found[t] for t in (3, 5, 6, 9, 25)), 'mvheap' in open('/proc/self/maps').read())")
    run([sys.executable, "-I", "-c", look], "--heap", "all").must(0, out="True True\n")


@case
def heap_settings_once():
    """Whoever asks for the heap's settings after the heap has is refused."""
    ask = "import ctypes; c = ctypes.CDLL(None); print(c.prctl(0x6d766870, 0, ctypes.create_string_buffer(64), 0, 0), c.prctl(0x6d766870, 1, 4096, 4096, 0))"
    for heap in ("all", "off"):
        run([sys.executable, "-I", "-c", ask], "--heap", heap).must(0, out="-1 -1\n")


# ---- a monitor inside of the variants ----

def inside(argv, *options, **how):
    r = run(argv, "-f", "inproc", *options, **how)
    if r.status == 77:
        raise Skip(r.out)
    return r


@case
def change_monitor():
    """Calls from the monitor's own gate that would change its memory end the run; so does what cannot be had elsewhere."""
    for how in ("munmap", "munmap_all", "mprotect", "pkey_mprotect", "madvise", "mremap", "mremap_onto", "mmap_over", "mmap_gap",
                "mremap_gap"):
        name = how.split("_")[0] if how != "pkey_mprotect" else how
        for layout in ("disjoint", "same"):
            inside([program("change_monitor"), how], "--layout", layout).must(
                86, rf"divergence: variant \d tries to change the monitor's memory: {name}\(", out="")
    inside([program("change_monitor"), "mmap_over_by_call"]).must(0, out="mmap_over_by_call: -1\n")
    inside([program("change_monitor"), "none"]).must(0, out="none: 1\n")


@case
def denied_from_gate():
    """The filter denies what the table denies, for calls from the gate too."""
    r = inside([program("denied_from_gate")]).must(0)
    got = [line.rsplit(": ", 1)[1] for line in r.out.splitlines()]
    wanted = ["EPERM", "EINVAL", "EPERM", "EPERM", "ENOSYS", "EPERM", "EPERM", "ok", "ENOSYS", "EPERM", "ENOSYS", "ENOSYS"]
    if got != wanted:
        raise Wrong(f"{r.out}\nnot {wanted}")


def alone(name):
    return rf"divergence: variant \d makes a sensitive call alone: {re.escape(name)}$"


MAKES_EXECUTABLE = {"mprotect": ["10", "page", "4096", "5"], "mmap": ["9", "0", "4096", "5", "0x22", "-1"],
                    "pkey_mprotect": ["329", "page", "4096", "5", "-1"], "shmat": ["30", "0", "0", "0x8000"]}
STARTS_PROGRAM = {"execve": ["59", "true", "args", "0"], "execveat": ["322", "0", "true", "args", "0", "0"]}


def table(name):
    with open(os.path.join(DATA, name)) as f:
        head = f.readline().rstrip("\n").split("\t")
        return [dict(zip(head, line.rstrip("\n").split("\t"))) for line in f]


def sensitive_calls():
    """Whatever the table has in the groups that policy exec makes wait, with operands that do no harm: name, arguments."""
    calls = {r["name"]: r for r in table("syscalls.tsv")}
    found = {name: MAKES_EXECUTABLE[name] for name, r in calls.items() if "prot" in r["flags"].split(",")}
    found |= {name: [r["nr"], "1", *["0"] * 4] for name, r in calls.items() if "pid" in r["flags"].split(",")}
    for row in list(calls.values()) + table("subcalls.tsv"):
        parent = calls[row.get("parent", row["name"])]
        if row["class"].startswith(("DENY", "EMUL")) or not {"exec", "privilege"} & set(row["groups"].split(",")) or \
                not {"exec", "privilege"} & set(parent["groups"].split(",")):
            continue
        args = ["0"] * 5
        name = row["name"]
        if row is not parent:
            args[int(parent["sel"])] = row["selector"].split("-")[0]
            name = f"{parent['name']}({name})"
        found[name] = STARTS_PROGRAM.get(name, [parent["nr"], *args])
    return found


def made_past_engine(name, arguments):
    def run_it():
        for n in (2, 3):
            inside([program("sensitive_alone"), "all", *arguments], n=n).must(86, alone(name), out="")
    return run_it


for sensitive_name, sensitive_arguments in sensitive_calls().items():
    function = made_past_engine(sensitive_name, sensitive_arguments)
    function.__name__ = "past_engine_" + re.sub(r"\W+", "_", sensitive_name).strip("_").lower()
    function.__doc__ = f"{sensitive_name}, made from the gate by all variants: the engine was not asked."
    case(function)


def caught(argv, line):
    """Half of the variants do it: the leader alone, a follower alone are stopped; none of them, all is well."""
    by = set()
    for seed in range(1, 25):
        r = inside(argv, "--seed", str(seed))
        if r.status == 0 and r.out.endswith("made\n"):
            continue
        r.must(86, line)
        variant = re.search(r"variant (\d)", r.first).group(1)
        if variant == "0" and r.out:
            raise Wrong(f"the leader has gone on: {r.out}")
        by.add(variant)
        if len(by) == 2:
            return
    raise Wrong(f"with none of the seeds did both the leader and a follower make the call alone, but {by}")


@case
def sensitive_alone():
    """One variant does what all would have to do."""
    for name in ("mprotect", "mmap", "execve", "setuid", "kill", "fork", "mount", "prlimit64"):
        caught([program("sensitive_alone"), "some", *sensitive_calls()[name]], alone(name))


@case
def sensitive_again():
    """What all variants have asked for is made once: one of them cannot make it again."""
    for name in ("mprotect", "mmap", "setuid", "setgroups", "kill", "prctl(PR_SET_KEEPCAPS)"):
        caught([program("sensitive_alone"), "again", *sensitive_calls()[name]], alone(name))


@case
def sensitive_relaxed():
    """Where nothing waits nothing is arbitrated: the call is a difference like any other."""
    inside([program("sensitive_alone"), "all", *sensitive_calls()["setuid"]], policy="performance").must(0, out="made\n")


@case
def kill_supervisor_from_gate():
    """One variant cannot kill what watches it."""
    caught([program("sensitive_alone"), "some", "62", "parent", "9"], alone("kill"))


REFUSED = "opens a way to write to a monitor's memory: refused"


def opens_memory(how):
    def run_it():
        # Policy comprehensive, so that the leader is there as long as the follower looks at its files.
        r = inside([program("open_memory"), how], policy="comprehensive").must(0, out=f"{how}: EACCES\n")
        if REFUSED not in r.log:
            raise Wrong(f"not reported: {r.log}")
    return run_it


for memory_way in ("open", "openat", "creat", "openat2", "task", "link", "link_by_call", "again"):
    function = opens_memory(memory_way)
    function.__name__ = "open_memory_" + memory_way
    function.__doc__ = "Memory cannot be opened to be written, from the gate neither, by whatever name."
    case(function)


@case
def open_memory_supervisor():
    """Nor can the supervisor's: the leader's parent is it, the follower's is not there."""
    r = inside([program("open_memory"), "supervisor"])
    if REFUSED not in r.log:
        raise Wrong(f"not reported: {r.log}")


@case
def open_to_write():
    """Other files can."""
    r = inside([program("open_memory"), "other"]).must(0, out="other: open\n")
    if REFUSED in r.log or not os.path.exists("other"):
        raise Wrong(f"log: {r.log}")


def monitors_of(process, name, count):
    """Processes below with a monitor, and where it lies: pid -> [(start, end, permissions)], first and last are the arena's file."""
    def find():
        found = {}
        for pid in below(process.pid):
            try:
                with open(f"/proc/{pid}/comm") as f:
                    named = f.read() == name + "\n"
                with open(f"/proc/{pid}/maps") as f:
                    maps = [re.match(r"(\w+)-(\w+) (\S+) .*?(\S*)(?: \(deleted\))?$", line).groups() for line in f]
            except OSError:
                continue
            of_file = [i for i, m in enumerate(maps) if m[3].startswith("/memfd:mvarmor-arena")]
            if named and len(of_file) == 3:
                found[pid] = [(int(m[0], 16), int(m[1], 16), m[2]) for m in maps[of_file[0]:of_file[2] + 1]]
        return found if len(found) >= count else None
    return wait_for(f"{count} processes of {name} with a monitor", find)


@case
def monitor_text_is_fixed():
    """Not even who may write to all of a process's memory can write to its monitor's text."""
    process = start(["sleep", "100"], "-f", "inproc")
    try:
        for pid, parts in monitors_of(process, "sleep", 2).items():
            if parts[0][2] != "r-xs":
                raise Wrong(f"{parts}")
            try:
                fd = os.open(f"/proc/{pid}/mem", os.O_RDWR)
            except PermissionError:
                raise Skip("may not open the memory of other processes") from None
            try:
                first = os.pread(fd, 16, parts[0][0])
                os.pwrite(fd, first, parts[0][0])
                raise Wrong("written")
            except OSError:
                pass
            finally:
                os.close(fd)
    finally:
        process.kill()
        process.communicate()


@case
def monitor_is_sealed():
    """Where the kernel can seal memory the monitor's is, in children and after an exec as well."""
    if ctypes.CDLL(None, use_errno=True).syscall(462, 0, 0, 0) != 0:
        raise Skip("no mseal here")
    process = start(["sh", "-c", "(exec sleep 100) & (sleep 100) & exec sleep 100"], "-f", "inproc")
    try:
        for pid, parts in monitors_of(process, "sleep", 6).items():
            with open(f"/proc/{pid}/smaps") as f:
                smaps = f.read()
            for start_at, _, permissions in parts:
                flags = re.search(rf"^0*{start_at:x}-(?:.*\n)*?VmFlags:(.*)", smaps, re.M).group(1).split()
                if "sl" not in flags:
                    raise Wrong(f"{pid}: {start_at:x} {permissions} is not sealed: {flags}")
    finally:
        process.kill()
        process.communicate()


@case
def look_for_monitor():
    """Probing finds no monitor, wherever it is, nor does /proc tell of it; that it was looked for is reported."""
    r = inside([program("look_for_monitor")]).must(0, out="listed: 0 0, found: 0\n")
    if "gives write an address of the monitor's" not in r.log:
        raise Wrong(f"log: {r.log}")
    script = "cd /proc/self && grep -c arena maps smaps numa_maps; cat mem pagemap task/self/mem map_files/* 2>/dev/null; head -c 9 smaps_rollup"
    r = run(["sh", "-c", script], "-f", "inproc").must(0)
    if "mvarmor" in r.out or re.search(":[1-9]", r.out) or not r.out.endswith("\n00000000-"):
        raise Wrong(f"{r.out!r}")


@case
def proc_tells():
    """No file of /proc/self has an address of the monitor's in it."""
    inside([program("proc_tells")], timeout=60).must(0, out="looked: 1, told: 0\n")


@case
def set_gs():
    """The gs register is the monitor's."""
    source = "import ctypes; libc = ctypes.CDLL(None); b = ctypes.c_ulong(7); "
    get = source + "print(libc.syscall(158, 0x1004, ctypes.byref(b)), b.value, libc.syscall(158, 0x1001, 0))"
    run([sys.executable, "-c", get], "-f", "inproc").must(0, out="0 0 0\n")
    run([sys.executable, "-c", source + "libc.syscall(158, 0x1001, ctypes.byref(b))"], "-f", "inproc").must(
        87, r"unsupported: arch_prctl\(ARCH_SET_GS\): .*use -f ptrace")


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


if __name__ == "__main__":
    sys.exit(main())
