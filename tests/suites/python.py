#!/usr/bin/env python3
"""The standard library's own tests (Debian's libpython3.11-testsuite), natively and under mvarmor: test by test the outcome must be
the same, but for those that python.tsv lists.  Each of these is run by itself, since it may end the run: "differs" must not be what
it is natively, "varies" need not, "left out" is not run, natively neither.  A test whose outcome differs is run once more by itself,
natively and under mvarmor, for many depend on how busy the machine is; if it is the same then it is named UNSTABLE.

A run that has not ended in its time is a failure of all tests that it has not come to.

Usage: python.py [-n VARIANTS] [-p POLICY] [-f FRONTEND]... MVARMOR [SUITE]...
A SUITE may be a part of one, "asyncio.test_events" or "multiprocessing_spawn.WithThreadsTestPool".
A table of suites and front-ends is printed at the end.  The last line is "N passed, N failed, N skipped"; skipped are the tests that skip
themselves natively.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = "/usr/bin/python3"
UNITTESTS = os.path.join(HERE, "unittests.py")
SUITES = ["os", "signal", "subprocess", "threading", "mmap", "socket", "select", "selectors", "asyncio", "multiprocessing_fork",
          "multiprocessing_spawn"]
# Processes that lock in memory that they share take turns; a manager names its objects by their addresses, in digits (limits.md).
NEEDS = {"asyncio": ["--turns=shared"],
         "multiprocessing_fork": ["--turns=shared", "--layout", "same"],
         "multiprocessing_spawn": ["--turns=variant", "--layout", "same"]}
OUTCOME = re.compile(r"^(\w+) \((test\.[\w.]+)\).*?\.\.\. .*?"
                     r"(ok|skipped|FAIL|ERROR|expected failure|unexpected success)(?: [\"'][^\n]*)?$", re.M | re.S)
END = re.compile(r"^Ran (\d+) tests? in", re.M)


def outcomes(prefix, suite, how, names, seconds):
    """{test: outcome} of one run of all tests but the named, or of them only, and what is wrong with the run as a whole, or None."""
    with tempfile.TemporaryDirectory(prefix="mvt.python.") as cwd, tempfile.TemporaryFile() as out:
        env = {"PATH": os.environ["PATH"], "HOME": cwd, "TMPDIR": cwd, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        try:
            subprocess.run(prefix + [PYTHON, UNITTESTS, f"test.test_{suite}", how, *names], cwd=cwd, env=env,
                           stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=seconds, check=False)
            problem = None
        except subprocess.TimeoutExpired:
            problem = f"no end after {seconds:g} s"
        out.seek(0)
        text = out.read().decode(errors="replace")
    found = {f"{where}.{name}" if not where.endswith(name) else where: what for name, where, what in OUTCOME.findall(text)}
    if not problem and not END.search(text):
        problem = "it did not come to its end: " + " | ".join(text.splitlines()[-3:])
    return found, problem


def whole(suite):
    """The suite that this one is a part of, or is."""
    return suite.partition(".")[0]


def listed(suite):
    """{test: "differs", "varies" or "left out"} of python.tsv."""
    with open(os.path.join(HERE, "python.tsv"), encoding="utf-8") as f:
        rows = [line.split("\t") for line in f.read().splitlines()[1:]]
    return {test: how for of, test, how, _ in rows if of == whole(suite) and test.startswith(f"test.test_{suite}.")}


class Checker:
    def __init__(self, options):
        self.o = options
        self.passed = self.failed = self.skipped = self.unstable = 0
        self.table = []

    def fail(self, *what):
        print("FAIL", *what, flush=True)
        self.failed += 1

    def under(self, frontend, suite, how, names):
        """As outcomes(), under mvarmor, and what mvarmor has said."""
        with tempfile.NamedTemporaryFile(prefix="mvt.python.", suffix=".log") as log:
            prefix = [os.path.realpath(self.o.mvarmor), "run", "-f", frontend, "-n", self.o.variants, "-p", self.o.policy, "-o", log.name,
                      *NEEDS.get(whole(suite), [])]
            found, problem = outcomes(prefix + ["--"], suite, how, names, self.o.seconds)
            report = open(log.name, encoding="utf-8", errors="replace").read()
            said = [line for line in report.splitlines() if "mvarmor: " in line]
            if problem and self.o.reports:
                name = os.path.join(self.o.reports, f"{suite}.{frontend}.{os.getpid()}.{len(os.listdir(self.o.reports))}")
                with open(name, "w", encoding="utf-8") as f:
                    f.write(f"{problem}\n{report}")
        return found, problem, "".join("\n  " + line for line in said)

    def same_again(self, where, frontend, suite, test):
        """Is it as natively, each by itself?"""
        native, _ = outcomes([], suite, "only", [test], self.o.seconds)
        found, _, _ = self.under(frontend, suite, "only", [test])
        if test not in native or found.get(test) != native[test]:
            return None
        print("UNSTABLE", f"{where}: {test}", flush=True)
        self.unstable += 1
        return native[test]

    def judge(self, where, test, here, natively, how, ended=None):
        if here == "not run" and ended:
            self.failed += 1
        elif how == "varies" or (here == natively) == (how is None):
            self.skipped += natively == "skipped"
            self.passed += natively != "skipped"
        else:
            self.fail(f"{where}: {test}: {here}, natively {natively}" + (", though listed" if how else ""))

    def suite(self, suite, frontends):
        rows = listed(suite)
        out = [test for test, how in rows.items() if how == "left out"]
        rows = {test: how for test, how in rows.items() if how != "left out"}
        began = time.monotonic()
        native, problem = outcomes([], suite, "but", out, self.o.seconds)
        natively = round(time.monotonic() - began)
        if problem:
            self.fail(f"{suite}: natively: {problem}")
            return
        for test in rows.keys() - native.keys():
            self.fail(f"{suite}: there is no {test}")
        for frontend in frontends:
            where = f"{suite} {frontend}"
            before, began = (self.passed, self.failed, self.skipped, self.unstable), time.monotonic()
            found, problem, said = self.under(frontend, suite, "but", [*rows, *out])
            if problem:
                self.fail(f"{where}: {problem}{said}")
            for test, there in native.items():
                if test in rows:
                    alone, _, _ = self.under(frontend, suite, "only", [test])
                    self.judge(where, test, alone.get(test, "not run"), there, rows[test])
                    continue
                here = found.get(test, "not run")
                if here != there and not problem:
                    again = self.same_again(where, frontend, suite, test)
                    here, there = (again, again) if again else (here, there)
                self.judge(where, test, here, there, None, problem)
            now = (self.passed, self.failed, self.skipped, self.unstable)
            self.table.append((suite, frontend, *(b - a for a, b in zip(before, now)), len(rows) + len(out), natively, round(time.monotonic() - began)))
            print(f"{where}: {len(found)} of {len(native)} tests, {len(rows)} listed, {len(out)} left out", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-n", "--variants", default="2")
    p.add_argument("-p", "--policy", default="exec")
    p.add_argument("-f", "--frontend", action="append")
    p.add_argument("--seconds", type=float, default=900, help="time for one run of one suite")
    p.add_argument("--reports", help="a directory that keeps mvarmor's reports of runs which do not come to their end")
    p.add_argument("mvarmor")
    p.add_argument("suites", nargs="*", default=SUITES)
    o = p.parse_args()
    checker = Checker(o)
    for suite in o.suites:
        checker.suite(suite, o.frontend or ["ptrace", "inproc"])
    heads = ("suite", "by", "passed", "failed", "skipped", "unstable", "listed", "natively", "seconds")
    print("\n%-40s %-8s %7s %7s %7s %8s %7s %8s %8s" % heads)
    for row in checker.table:
        print("%-40s %-8s %7d %7d %7d %8d %7d %8d %8d" % row)
    print(f"{checker.passed} passed, {checker.failed} failed, {checker.skipped} skipped")
    return 1 if checker.failed else 0


if __name__ == "__main__":
    sys.exit(main())
