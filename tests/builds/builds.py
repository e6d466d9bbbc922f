#!/usr/bin/python3
# test: timeout=120 needs=gcc
"""Variants that are other builds of the program (--variant), and the rules for what such builds do otherwise.

builds.py --list names the cases; builds.py NAME runs one, as divergence/cases.py does.
"""
import os
import re
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "divergence"))
import cases                            # noqa: E402
from cases import Skip, Wrong, case, run   # noqa: E402

LONG = "a" * 150
# ld.so loads in all variants what the sanitizers' libraries need.
LIBRARIES = ["-Wl,--no-as-needed", "-lm", "-lgcc_s"]
ASAN = "rules=asan,env=ASAN_OPTIONS=detect_leaks=0"


def build(name, compiler, *flags):
    if not shutil.which(compiler):
        raise Skip(f"no {compiler} here")
    r = subprocess.run([compiler, "-g", "-o", name, *flags, os.path.join(HERE, "talker.c"), *LIBRARIES],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        if "-fsanitize" in " ".join(flags) and "cannot find" in r.stdout:
            raise Skip(f"{compiler} has no sanitizers here")
        raise Wrong(f"{compiler}: {r.stdout}")
    return os.path.join(os.getcwd(), name)


def asan(name="talker.asan"):
    return build(name, "gcc", "-O1", "-fsanitize=address", "-static-libasan", "-U_FORTIFY_SOURCE")


def natively(argv, out):
    r = subprocess.run(argv, stdout=subprocess.PIPE, text=True)
    if r.returncode or r.stdout != out:
        raise Wrong(f"natively: status {r.returncode}, output {r.stdout!r}")


@case
def asan_follower():
    """What the leader survives ends the run before the reply is out, and the report holds what the follower has to say."""
    plain, sanitized = build("talker", "gcc", "-O1"), asan()
    natively([plain, LONG], LONG + " 1\n")
    for policy in ("exec", "leak", "comprehensive"):
        run([plain, "hello"], f"--variant=1={sanitized},{ASAN}", policy=policy).must(0, out="hello 1\n")
        r = run([plain, LONG], f"--variant=1={sanitized},{ASAN}", policy=policy)
        r.must(86, r"divergence: variant 1 reports: ==\d+==ERROR: AddressSanitizer: heap-buffer-overflow on address",
               out=None if policy == "exec" else "")
        for wanted in (r"^what the variant reports$", r"^  WRITE of size 151 at", r"^ +#\d .* in main .*talker\.c:\d+",
                       r"^  0x\w+ is located 0 bytes (to the right of|after) 64-byte region",
                       r"^  variant 1 \(asan\): allow follower mmap: \d+$", r"^  variant 1 \(asan\): report 2: \d+$"):
            if not re.search(wanted, r.log, re.M):
                raise Wrong(f"{wanted} is not in the report\n{r.log[:6000]}")


@case
def asan_of_three():
    """Only one of two followers is sanitized; the other needs no rules for what that one does."""
    plain, sanitized = build("talker", "gcc", "-O1"), asan()
    variant = f"--variant=2={sanitized},{ASAN}"
    run([plain, "hello"], variant, n=3).must(0, out="hello 1\n")
    run([plain, LONG], variant, n=3, policy="leak").must(86, r"divergence: variant 2 reports: .*heap-buffer-overflow", out="")


@case
def ubsan_follower():
    plain = build("talker", "gcc", "-O1")
    sanitized = build("talker.ubsan", "gcc", "-O1", "-fsanitize=undefined", "-static-libubsan")
    variant = f"--variant=1={sanitized},rules=ubsan"
    run([plain, "x", "3"], variant).must(0, out="x 2\n")
    run([plain, "x", "2147483647"], variant, policy="leak").must(
        86, r"divergence: variant 1 reports: .*talker\.c:\d+:\d+: runtime error: signed integer overflow", out="")


@case
def without_rules():
    """What rules allow is a divergence without them."""
    plain, sanitized = build("talker", "gcc", "-O1"), asan()
    run([plain, "hello"], f"--variant=1={sanitized},rules=build").must(86, r"divergence: ")
    with open("none.rules", "w") as f:
        f.write("base asan\nallow follower mincore\n")
    run([plain, "hello"], f"--variant=1={sanitized},rules=none.rules,env=ASAN_OPTIONS=detect_leaks=0").must(0, out="hello 1\n")
    with open("few.rules", "w") as f:
        f.write("base build\nallow follower mmap munmap limit 3\nallow follower readlink\n")
    run([plain, "hello"], f"--variant=1={sanitized},rules=few.rules").must(86, r"divergence: ")


@case
def compilers():
    """Two compilers, two levels of optimisation, as follower and as leader."""
    first = build("talker.O0", "gcc", "-O0")
    others = [build("talker.O3", "gcc", "-O3"), build("talker.clang", "clang", "-O2")]
    for other in others:
        run([first, "hello"], f"--variant=1={other}").must(0, out="hello 1\n")
        run([first, "hello"], f"--variant=0={other}").must(0, out="hello 1\n")
    run([first, "hello"], *(f"--variant={i + 1}={other}" for i, other in enumerate(others)), n=3).must(0, out="hello 1\n")


@case
def executes_itself():
    """Each variant executes its own build again; its own settings go with it and are no difference."""
    plain, sanitized = build("talker", "gcc", "-O1"), asan()
    for policy in ("performance", "exec"):
        run([plain, "again", "hello"], f"--variant=1={sanitized},{ASAN}", policy=policy).must(0, out="hello 1\n")
    run([plain, "again", LONG], f"--variant=1={sanitized},{ASAN}", policy="leak").must(
        86, r"divergence: variant 1 reports: .*heap-buffer-overflow", out="")


@case
def settings():
    """A variant's own arguments come before the program's; a comma is written twice."""
    true = "/bin/true"
    run([true], f"--variant=1={true},env=A=1,,2,arg=x,arg=y").must(0)
    run(["/bin/echo", "z"], "--variant=1=/bin/echo,arg=x,,y", policy="leak").must(
        86, r"divergence: write\(1, \.\.\.\): argument 3 differs \(leader 0x2, variant 1 0x6\)$", out="")


def refused(option, status, text, *more):
    r = run(["/bin/true"], f"--variant={option}", *more, timeout=20)
    if r.status != status or not re.search(text, r.log + r.err):
        raise Wrong(f"{option}: status {r.status}, not {status}; {text} is not in\n{r.log}{r.err}")


@case
def bad_programs():
    with open("script", "w") as f:
        f.write("#!/bin/sh\n")
    with open("text", "w") as f:
        f.write("no program\n" * 10)
    with open("/bin/true", "rb") as f:
        program = bytearray(f.read(4096))
    program[18:20] = b"\xb7\x00"    # EM_AARCH64
    with open("foreign", "wb") as f:
        f.write(program)
    os.mkdir("folder")
    shutil.copy("/bin/true", "plain")
    os.chmod("plain", 0o644)
    with open("i386", "wb") as f:
        f.write(b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHI", 2, 3, 1) + bytes(100))     # ELFCLASS32, EM_386
    for name in ("script", "text", "foreign", "i386"):
        os.chmod(name, 0o755)
    refused("1=./missing", 127, r"--variant 1=\./missing: No such file")
    refused("1=./plain", 126, r"1=\./plain: not executable")
    refused("1=./folder", 126, r"1=\./folder: not a file")
    refused("1=./script", 126, r"1=\./script: a script")
    refused("1=./text", 126, r"1=\./text: not a program")
    for name in ("foreign", "i386"):
        refused(f"1=./{name}", 126, rf"1=\./{name}: a program for another architecture")
        refused(f"0=./{name}", 126, rf"0=\./{name}: a program for another architecture")


@case
def bad_options():
    true = "/bin/true"
    refused(f"2={true}", 125, r"there are 2 variants, 0 to 1")
    refused(f"8={true}", 125, r"there is no variant 8")
    refused(f"99999999999999999999={true}", 125, r"there is no variant")
    refused(f"-1={true}", 125, r"is not K=PATH")
    refused(true, 125, r"is not K=PATH")
    refused("1=", 125, r"variant 1 has no path")
    refused(f"1={true}", 125, r"variant 1 is given twice", f"--variant=1={true}")
    refused(f"1={true},key=1", 125, r"unknown key 'key=1' \(known: env=")
    refused(f"1={true},env=NAME", 125, r"env=NAME=VALUE")
    refused(f"1={true},rules=asan,rules=ubsan", 125, r"rules are given twice")
    refused(f"0={true},rules=asan", 125, r"rules belong to followers")
    refused(f"1={true},rules=./missing", 125, r"cannot read rules \./missing: No such file")
    with open("bad.rules", "w") as f:
        f.write("base asan\n\nallow follower write\n")
    refused(f"1={true},rules=bad.rules", 125, r"bad\.rules:3: write cannot be allowed: its effects do not stay inside")


if __name__ == "__main__":
    sys.exit(cases.main())
