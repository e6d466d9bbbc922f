#!/usr/bin/env python3
"""The standard library's own tests (Debian's libpython3.11-testsuite), natively and under mvarmor: test by test the outcome must be
the same, but for those that python.tsv lists, which must not be what they are natively.

Usage: python.py [-n VARIANTS] [-p POLICY] [-f FRONTEND]... MVARMOR [SUITE]...
The last line is "N passed, N failed, N skipped"; skipped are the tests that skip themselves natively.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = "/usr/bin/python3"
SUITES = ["os", "signal", "subprocess", "threading", "mmap", "socket", "select", "selectors"]
OUTCOME = re.compile(r"^(\w+) \((test\.[\w.]+)\).*?\.\.\. .*?"
                     r"(ok|skipped|FAIL|ERROR|expected failure|unexpected success)(?: [\"'][^\n]*)?$", re.M | re.S)
END = re.compile(r"^Ran (\d+) tests? in", re.M)


def outcomes(prefix, suite, seconds):
    """{test: outcome} of one run, and what is wrong with the run as a whole, or None."""
    with tempfile.TemporaryDirectory(prefix="mvt.python.") as cwd, tempfile.TemporaryFile() as out:
        env = {"PATH": os.environ["PATH"], "HOME": cwd, "TMPDIR": cwd, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        try:
            subprocess.run(prefix + [PYTHON, "-m", "unittest", "-v", f"test.test_{suite}"], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                           stdout=out, stderr=subprocess.STDOUT, timeout=seconds, check=False)
            problem = None
        except subprocess.TimeoutExpired:
            problem = f"no end after {seconds:g} s"
        out.seek(0)
        text = out.read().decode(errors="replace")
    found = {f"{where}.{name}" if not where.endswith(name) else where: what for name, where, what in OUTCOME.findall(text)}
    if not problem and not END.search(text):
        problem = "it did not come to its end: " + " | ".join(text.splitlines()[-3:])
    return found, problem


def listed():
    """{(suite, test): reason} of python.tsv."""
    rows = {}
    with open(os.path.join(HERE, "python.tsv"), encoding="utf-8") as f:
        for line in f.read().splitlines()[1:]:
            suite, test, reason = line.split("\t")
            rows[suite, test] = reason
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-n", "--variants", default="2")
    p.add_argument("-p", "--policy", default="exec")
    p.add_argument("-f", "--frontend", action="append")
    p.add_argument("--seconds", type=float, default=1800, help="time for one run of one suite")
    p.add_argument("mvarmor")
    p.add_argument("suites", nargs="*", default=SUITES)
    o = p.parse_args()
    by_nature = listed()
    passed = failed = skipped = 0
    for suite in o.suites or SUITES:
        native, problem = outcomes([], suite, o.seconds)
        if problem:
            print(f"FAIL {suite}: natively: {problem}")
            failed += 1
            continue
        for frontend in o.frontend or ["ptrace", "inproc"]:
            log = tempfile.NamedTemporaryFile(prefix="mvt.python.", suffix=".log")
            prefix = [os.path.realpath(o.mvarmor), "run", "-f", frontend, "-n", o.variants, "-p", o.policy, "-o", log.name, "--"]
            found, problem = outcomes(prefix, suite, o.seconds)
            if problem:
                said = open(log.name, encoding="utf-8", errors="replace").read().splitlines()
                print(f"FAIL {suite} {frontend}: {problem}", *[line for line in said if "mvarmor: " in line], sep="\n  ")
                failed += 1
            for test, what in native.items():
                here, reason = found.get(test, "not run"), by_nature.get((suite, test))
                if (here == what) == (reason is None):
                    skipped += what == "skipped"
                    passed += what != "skipped"
                elif problem and here == "not run":
                    failed += 1
                else:
                    print(f"FAIL {suite} {frontend}: {test}: {here}, natively {what}" + (f", though listed: {reason}" if reason else ""))
                    failed += 1
            print(f"{suite} {frontend}: {len(found)} of {len(native)} tests", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
