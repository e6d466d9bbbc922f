#!/usr/bin/python3
"""Repeat every attack with many seeds, and write docs/security-evaluation.md.

Usage: evaluate.py MVARMOR BUILD [--seeds N] [--only NAME] [--output FILE]

For each attack, front-end and policy: how many of the runs were stopped by a divergence, how many had an effect, and where that
was noticed.  The layout of each run is derived from its number, so that a figure can be looked into.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

FRONTENDS = ("ptrace", "inproc")
WIDE = {"mostly": 1.0, "fails": 1.0, "always": 0.1, "never": 0.05}		# which part of the seeds each kind of attack needs


def where(line):
    """The report's first line without what is different in every run."""
    line = re.sub(r"^divergence: ", "", line)
    line = re.sub(r" \(leader 0x.*\)$| at byte \d+ .*$", "", line)
    return re.sub(r"variant \d", "the variant", line)


class Count:
    def __init__(self):
        self.runs = self.stopped = self.worked = 0
        self.lines = collections.Counter()

    def add(self, outcome):
        self.runs += 1
        self.stopped += outcome.status == 86
        self.worked += outcome.worked
        if outcome.line:
            self.lines[where(outcome.line)] += 1

    def cell(self):
        text = f"{self.stopped} of {self.runs} stopped"
        if self.worked:
            text += f", {self.worked} took effect"
        return text


def verdict(a, counts):
    runs, stopped = sum(c.runs for c in counts.values()), sum(c.stopped for c in counts.values())
    if a.detected == "fails" and not any(c.worked for c in counts.values()):
        return f"no effect, {stopped} of {runs} stopped"
    if stopped == runs:
        return "deterministic" if a.detected == "always" else f"{stopped} of {runs}"
    return "**not detected**" if not stopped else f"probabilistic, {100 * stopped / runs:.1f} %"


def table(attacks, options):
    yield "| attack | program | what differs | detected | policy exec | policy leak | at (most often) |"
    yield "|---|---|---|---|---|---|---|"
    for a in attacks.ATTACKS.values():
        if options.only and options.only not in a.name:
            continue
        if not attacks.Outcome(a, []).worked:
            sys.exit(f"{a.name} does not succeed natively")
        counts = {policy: Count() for policy in attacks.POLICIES}
        for frontend in FRONTENDS:
            attacks.MVARMOR = [options.mvarmor, "run", "-f", frontend]
            for seed in range(1, max(2, round(options.seeds * WIDE[a.detected] / len(FRONTENDS) / len(counts))) + 1):
                for policy, count in counts.items():
                    count.add(attacks.armed(a, policy, "--seed", str(seed)))
        lines = sum((c.lines for c in counts.values()), collections.Counter())
        common = f"`{lines.most_common(1)[0][0]}`" if lines else ""
        yield f"| {a.what} | `{a.victim}.c` | {a.differs} | {verdict(a, counts)} | " + \
            " | ".join(count.cell() for count in counts.values()) + f" | {common} |"
        print(a.name, verdict(a, counts), file=sys.stderr)


def channels(attacks, options):
    yield "| channel | policy | understood |"
    yield "|---|---|---|"
    for name, (what, kind, _) in attacks.COVERT.items():
        for policy in attacks.POLICIES:
            right = runs = 0
            for frontend in FRONTENDS:
                attacks.MVARMOR = [options.mvarmor, "run", "-f", frontend]
                for _ in range(2):
                    c = attacks.Covert(kind, policy)
                    runs += 16
                    right += 16 - bin(c.told ^ int(c.output)).count("1")
            yield f"| {what} (`{name}`) | {policy} | {right} of {runs} bits |"


def real(options):
    """A vulnerability that was real; built from Debian's source package, which takes a minute or two."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "real"))
    import nginx_2013_2028
    import source
    yield "| front-end | policy | what differs | effect | first line |"
    yield "|---|---|---|---|---|"
    with source.workshop():
        for frontend, policy, differs, line in nginx_2013_2028.check(options.mvarmor, nginx_2013_2028.vulnerable()):
            yield f"| {frontend} | {policy} | {differs} | none | `{line}` |"
            print("real", frontend, policy, differs, file=sys.stderr)


INTRODUCTION = """# Security evaluation

Made by `tests/attack/evaluate.py` from real runs: do not edit. {runs}
Two variants, the layout `disjoint`, both front-ends counted together, heaps as the C library makes them where `--heap` is not named.
`make check` does each attack once per front-end and policy and asserts what the table says.

Each attack is one vulnerable program (`tests/attack/*.c`) and the bytes that are sent to it (`tests/attack/attacks.py`). The attacker knows
all addresses and all memory of the leader, and succeeds natively: this is asserted before every measurement. The same bytes go to all variants.
*Stopped* counts runs that a divergence ended, *took effect* those in which the attack did what it does natively (the policy `exec` lets the
leader write before the others have: what was sent before the divergence was found has been sent).

"""

AFTER = """
What is not detected has no value in it that differs between the variants: a flag, a byte within a page, code that does not depend on
its place, a program that is not position independent, bytes of a heap that are the same everywhere. [SECURITY.md](../SECURITY.md) says so too.

## Variants that talk to each other

Code that runs in all variants can tell them apart by their addresses. Values that come from outside (calls, `rdtsc`, `cpuid`) are the leader's in
all of them, so what they compute from those stays equal. Time is not: a variant that is late makes the others wait for it at the next
lockstep call, and all of them can see how long that took. 16 bits of the other variant's address, sent so (half of the bits would
be right by chance):

"""


REAL = """
## A real one

CVE-2013-2028 of nginx 1.3.9 to 1.4.0: the size of a chunk of a request's body may be negative, and is then an amount to receive into 4 KiB of stack.
A minimal re-creation: `tests/real/nginx-cve-2013-2028.patch` takes the checks that later versions have out of Debian's nginx
again; the rest is Debian's source, with stack protector and as position-independent code. `tests/real/nginx_2013_2028.py` knows addresses and
canary of the leader's worker and executes a shell command, natively and not under MvArmor. To see what addresses alone are good for,
`--same-at-random` gives all variants the same canary.

"""


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("mvarmor")
    p.add_argument("build")
    p.add_argument("--seeds", type=int, default=200, help="runs of an attack whose success is a matter of chance; others get a part")
    p.add_argument("--only", metavar="NAME", help="attacks whose name contains NAME")
    p.add_argument("--output", default="docs/security-evaluation.md")
    options = p.parse_args()
    options.mvarmor = os.path.abspath(options.mvarmor)
    output = os.path.abspath(options.output)
    os.environ["MV_TEST_BUILD"] = os.path.abspath(options.build)
    os.environ["MV_TEST_MVARMOR"] = json.dumps([options.mvarmor, "run"])
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import attacks		# reads the environment
    version = subprocess.run([options.mvarmor, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n", 1)[0]
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        lines = [*table(attacks, options), AFTER.rstrip("\n"), "", *channels(attacks, options)]
        if not options.only:
            lines += [REAL.rstrip("\n"), "", *real(options)]
    with open(output, "w", encoding="utf-8") as f:
        f.write(INTRODUCTION.format(runs=f"{version}, {options.seeds} seeds for what is a matter of chance.") + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
