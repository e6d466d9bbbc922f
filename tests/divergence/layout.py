#!/usr/bin/python3
# test: timeout=120
"""Where everything lies, as the kernel tells it from outside: no address of a variant is one of another's.  See cases.py."""
import os
import re
import sys

import cases
from cases import Ended, Wrong, below, case, program, start, wait_for

NAME = "all_mappings"
STACK, THREADS = 0x143000, 3		# as all_mappings.c has them
STRIPE, SLICE, ALL = 1 << 40, 1 << 43, 1 << 64
KINDS = ("[stack]", "[vdso]", NAME, "libc.so.6", "ld-linux-x86-64.so.2")


def maps(pid):
    """(start, end, name) of the mappings; the kernel's page for vsyscalls is at one address in all processes of a machine."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        lines = [re.match(r"(\w+)-(\w+) \S+ \w+ \S+ \d+ *(.*)", line) for line in f]
    return [(int(m[1], 16), int(m[2], 16), m[3]) for m in lines if m[3] != "[vsyscall]"]


def stacks(mappings):
    """How many mappings have the size of one of the threads' stacks, the guard beside it or in it."""
    return sum((end - low) & ~0x30000 in (STACK, STACK - 4096) for low, end, _ in mappings)


def of_variants(process, n):
    """Of each variant, the mappings of its two processes; None until they are all there."""
    found = {}
    for pid, (name, _, _) in below(process.pid).items():
        if name == NAME:
            found.setdefault(os.readlink(f"/proc/{pid}/ns/pid"), []).append(maps(pid))
    both = [those for those in found.values() if len(those) == 2]
    if len(both) == n and all(stacks(mappings) == THREADS for those in both for mappings in those):
        return both
    return None


def folded(mappings, modulus):
    """(start, end, name) modulo a power of two; what crosses it is two."""
    for low, end, name in mappings:
        while low < end:
            part = min(end, (low // modulus + 1) * modulus)
            yield low % modulus, (part - 1) % modulus + 1, name
            low = part


def overlap(variants, modulus):
    """Two mappings of different variants that have an address in common, or None."""
    parts = sorted((*part, variant) for variant, mappings in enumerate(variants) for part in folded(mappings, modulus))
    ends = [(0, None)] * len(variants)		# of each variant: the furthest end so far, and whose
    for low, end, name, variant in parts:
        for other, (furthest, part) in enumerate(ends):
            if other != variant and furthest > low:
                return f"{low:x}-{end:x} {name} of variant {variant} and {part}"
        if end > ends[variant][0]:
            ends[variant] = end, f"{low:x}-{end:x} {name} of variant {variant}"
    return None


def look(n, *options):
    """The mappings of each variant."""
    process = start([program(NAME)], *options, n=n)
    try:
        variants = []
        for both in wait_for("all mappings", lambda: of_variants(process, n)):
            for mappings in both:
                names = {os.path.basename(name) for _, _, name in mappings}
                if not names.issuperset(KINDS):
                    raise Wrong(f"not all mappings are seen: {names}")
            variants.append(both[0] + both[1])
        return variants
    finally:
        process.terminate()
        Ended(process, 20)


def first_frames(seed, n):
    """Of each variant: where the stack begins for the program, and how far below the stack's end that is."""
    process = start(["/bin/sleep", "60"], "--seed", str(seed), n=n)

    def found():
        pids = [pid for pid, (name, _, _) in below(process.pid).items() if name == "sleep"]
        return pids if len(pids) == n else None

    try:
        frames = []
        for pid in wait_for("as many copies of sleep as variants", found):
            end = next(end for _, end, name in maps(pid) if name == "[stack]")
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                begin = int(f.read().rsplit(")", 1)[1].split()[25])
            frames.append((begin, end - begin))
        return frames
    finally:
        process.terminate()
        Ended(process, 20)


def inside(variants):
    return {re.sub(r" \(deleted\)", "", name) for mappings in variants for _, _, name in mappings if "mvarmor" in name}


def disjoint(*options):
    for n in (2, 3):
        for seed in range(1, 5):
            variants = look(n, "--seed", str(seed), *options)
            for modulus in (ALL, SLICE, STRIPE):
                both = overlap(variants, modulus)
                if both:
                    raise Wrong(f"{n} variants, seed {seed}, modulo {modulus:#x}: {both}")
            # The monitor and the trampolines lie with the program if they are there at all: the runner chooses the front-end.
            there = inside(variants)
            if there and not {"/memfd:mvarmor-arena", "/memfd:mvarmor-text"} <= there:
                raise Wrong(f"not all of the monitor's mappings are seen: {there}")


@case
def maps_disjoint():
    """Neither absolutely nor modulo the slice nor modulo a stripe of it."""
    disjoint()


@case
def maps_disjoint_heap():
    disjoint("--heap", "all")


@case
def maps_not_disjoint():
    """Where the layout is the same, the test sees it."""
    if not overlap(look(2, "--layout", "same"), ALL):
        raise Wrong("--layout same has made all addresses different")


@case
def stacks_begin_apart():
    """At steps of 16 bytes, wherever in a page, and each variant has another amount of memory above it."""
    begins = []
    for seed in range(1, 9):
        frames = first_frames(seed, 3)
        if len({below_end for _, below_end in frames}) < 3:
            raise Wrong(f"seed {seed}: as much above the first frame in two variants: {frames}")
        begins += [begin for begin, _ in frames]
    if any(begin % 16 for begin in begins):
        raise Wrong(f"a stack that is not aligned to 16 bytes: {begins}")
    if len({begin % 4096 for begin in begins}) < 12 or all(begin % 32 == begins[0] % 32 for begin in begins):
        raise Wrong(f"stacks begin at few places in their pages: {[hex(begin % 4096) for begin in begins]}")


if __name__ == "__main__":
    sys.exit(cases.main())
