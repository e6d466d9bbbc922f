#!/usr/bin/env python3
"""Run every test natively first, then under mvarmor in a matrix of variants and policies; the native run is the expectation.

One line per test, a diff for a failure, "N passed, N failed, N skipped" at the end; exit status 1 if anything failed.
See tests/README.md.  Python standard library only.
"""
import argparse
import ctypes
import difflib
import fnmatch
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time


HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
SKIP = 77
PR_SET_CHILD_SUBREAPER = 36
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = "/usr/bin/python3"
GROUPS = ["sys", "programs", "divergence", "builds", "attack", "servers", "chaos"]


class Test:
    """One test.  compared: its native run is the expectation; else it judges itself (exit 0 passed, 77 skipped)."""

    def __init__(self, group, name, argv, source, compared):
        self.group, self.argv, self.compared = group, argv, compared
        self.name = f"{group}/{name}"
        self.timeout, self.needs, self.n1, self.layouts, self.heap = 30.0, [], False, False, False
        self.corners, self.wrapped, self.prepare = False, True, False
        self.options = []
        with open(source, errors="replace") as f:
            head = "".join(f.readlines()[:12])
        for line in re.findall(r"\btest: (.*?)(?: \*/)?$", head, re.M):
            for word in line.split():
                key, _, value = word.partition("=")
                if key == "timeout":
                    self.timeout = float(value)
                elif key == "needs":
                    self.needs = value.split(",")
                elif key == "n1":
                    self.n1 = True
                elif key == "layouts":
                    self.layouts = True
                elif key == "heap":
                    self.heap = True
                elif key == "corners":
                    self.corners = True
                elif key == "prepare":
                    self.prepare = True
                elif key in ("turns", "layout", "threads"):
                    self.options.append(f"--{key}={value}")
                else:
                    sys.exit(f"{source}: unknown directive {word}")


def discover(build):
    tests = []
    sysdir, bindir = os.path.join(HERE, "sys"), os.path.join(build, "tests", "sys")
    binaries = sorted(os.listdir(bindir)) if os.path.isdir(bindir) else []
    for source in sorted(fnmatch.filter(os.listdir(sysdir), "*.c")):
        stem = source[:-2]
        names = [b for b in binaries if (b == stem or b.startswith(stem + ".")) and os.access(os.path.join(bindir, b), os.X_OK)
                 and os.path.isfile(os.path.join(bindir, b))]
        # A test that was not built is a failure, not a silence: its absence shows up as "cannot run".
        for name in names or [stem]:
            tests.append(Test("sys", name, [os.path.join(bindir, name)], os.path.join(sysdir, source), True))
    for group, pattern in (("programs", "*.sh"), ("servers", "*.py"), ("chaos", "*.py")):
        folder = os.path.join(HERE, group)
        for source in sorted(fnmatch.filter(os.listdir(folder), pattern)):
            if source in ("common.py",):
                continue
            path = os.path.join(folder, source)
            argv = [path] if group == "programs" else [PYTHON, "-B", path]
            test = Test(group, source.rsplit(".", 1)[0], argv, path, group != "chaos")
            test.wrapped = group == "programs"
            tests.append(test)
    listing = [("divergence", s) for s in sorted(fnmatch.filter(os.listdir(os.path.join(HERE, "divergence")), "*.py")) if s != "cases.py"]
    for group, script in (*listing, ("builds", "builds.py"), ("attack", "attacks.py")):
        cases = os.path.join(HERE, group, script)
        listed = subprocess.run([PYTHON, "-B", cases, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        for name in listed:
            test = Test(group, name, [PYTHON, "-B", cases, name], cases, False)
            test.wrapped = False
            tests.append(test)
    return tests


# ---- processes ----

def descendants(root):
    """Ids of all processes below root, zombies included."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append((int(entry), fields[0]))
    found, todo = [], [root]
    while todo:
        for pid, state in children.get(todo.pop(), []):
            found.append((pid, state))
            todo.append(pid)
    return found


def reap_children():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            text = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
        return text or open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        return "?"


def left_behind(grace):
    """What still runs below this process after grace seconds; killed before it is reported."""
    end = time.monotonic() + grace
    while True:
        reap_children()
        left = [pid for pid, state in descendants(os.getpid()) if state not in "ZX"]
        if not left or time.monotonic() >= end:
            break
        time.sleep(0.02)
    report = [f"{pid} ({command_of(pid)})" for pid in left]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        reap_children()
        left = descendants(os.getpid())
        if not left:
            break
        for pid, _ in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    return report


def run_once(argv, cwd, env, timeout):
    """Run to the end in a fresh directory.  Returns a dict: status, out, err, problem (None if it ended by itself)."""
    shutil.rmtree(cwd, ignore_errors=True)
    os.makedirs(cwd)
    result = {"status": None, "out": "", "err": "", "problem": None}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                     start_new_session=True)
        except OSError as e:
            result["problem"] = f"cannot run {argv[0]}: {e.strerror}"
            return result
        try:
            result["status"] = child.wait(timeout)
        except subprocess.TimeoutExpired:
            result["problem"] = f"no end after {timeout:g} s"
        left = left_behind(0.5 if result["problem"] is None else 0)
        if result["problem"] is None and left:
            result["problem"] = "left behind: " + ", ".join(left[:5])
        for key, stream in (("out", out), ("err", err)):
            stream.seek(0)
            result[key] = stream.read(4 << 20).decode(errors="backslashreplace")
    return result


# ---- one test ----

def diff(what, expected, found):
    lines = list(difflib.unified_diff(expected.splitlines(), found.splitlines(), f"{what} (native)", f"{what} (mvarmor)",
                                      n=2, lineterm=""))
    return lines[:40] + ([f"... {len(lines) - 40} more lines"] if len(lines) > 40 else [])


def printable(text):
    """Tests write anything; our output stays text that grep takes for text."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


def tail(text, lines=25):
    return ["    " + line for line in text.splitlines()[:lines]]


def status_text(status):
    if status is None:
        return "no status"
    if status < 0:
        return f"death by {signal.Signals(-status).name if -status in list(signal.Signals) else f'signal {-status}'}"
    return f"status {status}"


def environment(test, cwd, slower):
    env = {"PATH": PATH, "HOME": cwd, "TMPDIR": cwd, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb",
           "MV_TEST_SOURCE": HERE, "MV_TEST_BUILD": test.build, "MV_TEST_SLOWER": str(slower)}
    return env


def perform(test, options, base):
    """Runs in a process of its own, a subreaper, so that whatever a run leaves behind is found below it.
    Returns (verdict, one line, detail lines)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return "FAIL", "cannot become a subreaper", []
    missing = [n for n in test.needs if not shutil.which(n, path=PATH)]
    if missing:
        return "SKIP", "not installed: " + ", ".join(missing), []
    cwd = os.path.join(base, test.name.replace("/", "."))
    log = cwd + ".log"
    env = environment(test, cwd, options.slower)
    start = time.monotonic()

    def spent():
        return f"{time.monotonic() - start:.1f} s"

    if not test.compared:
        env["MV_TEST_MVARMOR"] = json.dumps([options.mvarmor, "run", "-f", options.frontend])
        r = run_once(test.argv, cwd, env, options.slower * test.timeout)
        if r["problem"]:
            return "FAIL", r["problem"], tail(r["out"] + r["err"])
        if r["status"] == SKIP:
            return "SKIP", (r["out"].strip().splitlines() or ["no reason given"])[-1], []
        if r["status"] != 0:
            return "FAIL", status_text(r["status"]), tail(r["out"] + r["err"])
        return "PASS", spent(), []

    if test.prepare:
        env["MV_TEST_PREPARED"] = cwd + ".prepared"
        there = dict(env, HOME=cwd + ".prepared", TMPDIR=cwd + ".prepared")
        r = run_once(test.argv + ["prepare"], cwd + ".prepared", there, options.slower * 3 * test.timeout)
        if r["problem"] or r["status"] != 0:
            return "FAIL", "to prepare it: " + (r["problem"] or status_text(r["status"])), tail(r["out"] + r["err"])

    native_env = dict(env)
    if not test.wrapped:
        native_env["MV_TEST_PREFIX"] = "[]"
    native = run_once(test.argv, cwd, native_env, options.slower * test.timeout)
    if native["problem"]:
        return "FAIL", "natively: " + native["problem"], tail(native["out"] + native["err"])
    if native["status"] == SKIP:
        return "SKIP", (native["out"].strip().splitlines() or ["no reason given"])[-1], []
    if native["status"] == 99 or (not test.wrapped and native["status"] != 0):
        return "FAIL", f"natively: {status_text(native['status'])}", tail(native["out"] + native["err"])
    if options.native:
        for _ in range(options.native - 1):
            again = run_once(test.argv, cwd, native_env, options.slower * test.timeout)
            if (again["problem"], again["status"], again["out"], again["err"]) != \
                    (None, native["status"], native["out"], native["err"]):
                return "FAIL", f"two native runs differ ({again['problem'] or status_text(again['status'])})", \
                    diff("stdout", native["out"], again["out"]) + diff("stderr", native["err"], again["err"])
        return "PASS", f"native, {status_text(native['status'])}, {spent()}", []

    matrix = [(n, p, []) for n in options.variants for p in options.policies]
    if test.corners and len(matrix) > 2:
        matrix = [matrix[0], matrix[-1]]
    if test.n1 and not options.quick and 1 not in options.variants:
        matrix.insert(0, (1, options.policies[0], []))
    if test.layouts and not options.quick:
        matrix += [(options.variants[0], options.policies[0], [f"--layout={layout}"]) for layout in ("same", "aslr")]
    if test.heap:
        matrix += [(options.variants[0], options.policies[0], [f"--heap={who}"]) for who in ("all", "followers")]
    for n, policy, more in matrix:
        if os.path.exists(log):
            os.unlink(log)
        prefix = [options.mvarmor, "run", "-f", options.frontend, "-n", str(n), "-p", policy, "-o", log, *test.options, *more,
                  *options.extra, "--"]
        if test.wrapped:
            r = run_once(prefix + test.argv, cwd, env, options.slower * test.timeout)
        else:
            r = run_once(test.argv, cwd, dict(env, MV_TEST_PREFIX=json.dumps(prefix)), options.slower * test.timeout)
        detail = []
        if r["problem"]:
            why = r["problem"]
        elif r["status"] != native["status"]:
            why = f"{status_text(r['status'])}, natively {status_text(native['status'])}"
        elif r["out"] != native["out"]:
            why = "stdout differs"
        elif r["err"] != native["err"]:
            why = "stderr differs"
        else:
            continue
        detail += diff("stdout", native["out"], r["out"]) + diff("stderr", native["err"], r["err"])
        if os.path.exists(log):
            with open(log, errors="replace") as f:
                detail += ["mvarmor says:"] + tail(f.read(100000))
        return "FAIL", " ".join([f"n={n} policy={policy}", *more]) + f": {why}", detail
    return "PASS", f"{len(matrix)} runs, {spent()}", []


# ---- all tests ----

def work(test, options, base, pipe):
    """The child process of one test: writes its verdict as JSON into the pipe."""
    try:
        answer = perform(test, options, base)
    except Exception as e:  # a bug of the runner is a failed test, not a lost one
        answer = ("FAIL", f"runner: {type(e).__name__}: {e}", [])
    with os.fdopen(pipe, "w") as f:
        json.dump(answer, f)


def run_all(tests, options, base):
    """Run with at most options.jobs at a time; yields (test, verdict, line, detail) as they end.
    Servers and chaos run alone: they use fixed ports and measure nothing together with others."""
    queue, running = list(tests), {}
    while queue or running:
        while queue and len(running) < options.jobs:
            alone = queue[0].group in ("servers", "chaos")
            if running and (alone or any(t.group in ("servers", "chaos") for t, _, _ in running.values())):
                break
            test = queue.pop(0)
            r, w = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(r)
                for fd in running:
                    os.close(fd)
                status = 0
                try:
                    work(test, options, base, w)
                except BaseException:
                    status = 1
                os._exit(status)
            os.close(w)
            running[r] = (test, pid, [])
        for fd in select.select(list(running), [], [])[0]:
            test, pid, parts = running[fd]
            data = os.read(fd, 65536)
            if data:
                parts.append(data)
                continue
            os.close(fd)
            del running[fd]
            os.waitpid(pid, 0)
            try:
                verdict, line, detail = json.loads(b"".join(parts))
            except ValueError:
                verdict, line, detail = "FAIL", "the runner's process for this test died", []
            yield test, verdict, line, detail


def remains():
    """Mounts, shared memory and cgroups with our name on them."""
    found = set()
    with open("/proc/self/mounts") as f:
        found.update("mount " + line.split()[1] for line in f if "mvarmor" in line.split()[0] + line.split()[2])
    for folder in ("/dev/shm", "/sys/fs/cgroup"):
        try:
            found.update(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith(("mvarmor", "multivar")))
        except OSError:
            pass
    return found


def parse_arguments():
    env = os.environ.get
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("tests", nargs="*", metavar="PATTERN|BUILD",
                   help="names or shell patterns (sys, sys/getpid, 'sys/sig_*'); a build directory stands for --build")
    p.add_argument("--build", default=env("MV_TEST_BUILD", os.path.join(ROOT, "build")), help="build directory")
    p.add_argument("--mvarmor", help="program under test (default: BUILD/mvarmor)")
    p.add_argument("-n", "--variants", default=env("MV_TEST_VARIANTS"), help="numbers of variants (default 2,3)")
    p.add_argument("-p", "--policies", default=env("MV_TEST_POLICIES"), help="policies (default exec,comprehensive)")
    p.add_argument("-f", "--frontend", default=env("MV_TEST_FRONTEND", "ptrace"))
    p.add_argument("-q", "--quick", action="store_true", default=env("MV_TEST_QUICK", "") not in ("", "0"),
                   help="two variants, policy exec only")
    p.add_argument("-j", "--jobs", type=int, default=2, choices=(1, 2))
    p.add_argument("--native", type=int, nargs="?", const=2, metavar="TIMES",
                   help="only run natively, TIMES times, and compare the runs with each other")
    p.add_argument("--slower", type=float, default=float(env("MV_TEST_SLOWER", "1")),
                   help="time limits are this much longer: on a slow or emulated machine")
    p.add_argument("--extra", action="append", default=[], metavar="OPTION", help="one more option for mvarmor run")
    p.add_argument("--keep", action="store_true", help="keep the working directories")
    p.add_argument("--list", action="store_true")
    o = p.parse_args()
    for word in [t for t in o.tests if os.path.exists(os.path.join(t, "build.ninja"))]:
        o.tests.remove(word)
        o.build = word
    o.build = os.path.realpath(o.build)
    o.mvarmor = os.path.realpath(o.mvarmor or os.path.join(o.build, "mvarmor"))
    o.variants = [int(n) for n in (o.variants or ("2" if o.quick else "2,3")).split(",")]
    o.policies = (o.policies or ("exec" if o.quick else "exec,comprehensive")).split(",")
    return o


def retry(tests, options, base, counts):
    """Where one failure must not hide the rest (CI): once more, loudly.  Returns those that failed again."""
    again = os.path.join(base, "retry")
    os.mkdir(again, 0o755)
    failed = []
    for test, verdict, line, detail in run_all(tests, options, again):
        if verdict == "PASS":
            counts["FAIL"] -= 1
            counts["PASS"] += 1
            print(f"UNSTABLE {test.name}: failed, then passed: {printable(line)}", flush=True)
        else:
            failed.append(test)
            print(f"FAIL {test.name} again: {printable(line)}", flush=True)
            for text in detail:
                print("  " + printable(text))
    return failed


def main():
    options = parse_arguments()
    tests = discover(options.build)
    for t in tests:
        t.build = options.build
    if options.tests:
        tests = [t for t in tests if any(fnmatch.fnmatch(t.name, p) or t.group == p for p in options.tests)]
    if options.native:
        tests = [t for t in tests if t.compared]
    if options.list:
        print("\n".join(t.name for t in tests))
        return 0
    if not tests:
        sys.exit("no such test: " + " ".join(options.tests))
    if not options.native and not os.access(options.mvarmor, os.X_OK):
        sys.exit(f"{options.mvarmor} is not there: build it, or use --native")
    tests.sort(key=lambda t: GROUPS.index(t.group))
    before = remains()
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    failed = []
    base = tempfile.mkdtemp(prefix="mvt.")
    os.chmod(base, 0o755)
    try:
        for test, verdict, line, detail in run_all(tests, options, base):
            counts[verdict] += 1
            print(f"{verdict} {test.name}: {printable(line)}", flush=True)
            for text in detail:
                print("  " + printable(text))
            if verdict == "FAIL":
                failed.append(test)
        if failed and os.environ.get("MV_TEST_RETRY") == "1":
            failed = retry(failed, options, base, counts)
        new = remains() - before
        if new:
            counts["FAIL"] += 1
            print("FAIL after all tests: left behind: " + ", ".join(sorted(new)))
    finally:
        if options.keep:
            print(f"working directories: {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)
    if failed:
        print("failed: " + " ".join(t.name for t in failed))
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
