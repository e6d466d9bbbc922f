#!/usr/bin/python3
# test: timeout=90
"""The diversifying heap: variants with the same addresses of everything else.  See cases.py."""
import subprocess
import sys

import cases
from cases import Wrong, case, program, run


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


if __name__ == "__main__":
    sys.exit(cases.main())
