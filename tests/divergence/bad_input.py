#!/usr/bin/python3
# test: timeout=90
"""Bad input, and machines that lack something: what cannot be run is refused, and it is said why.  See cases.py."""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

import cases
from cases import MVARMOR, PROGRAMS, SLOWER, Skip, Wrong, case, program, run


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
        if natively in (-signal.SIGILL, -signal.SIGSEGV):  # the kernel has no calls of 32-bit programs
            continue
        run([program("refused"), way]).must(87, r"unsupported: .*a 32-bit system call", out="before\n")
    run([program("refused"), "x32"]).must(87, r"unsupported: .*1073741934", out="before\n")


@case
def only_with_ptrace():
    """What a monitor inside of the process has no room for."""
    run([program("refused"), "set_gs"], "-f", "inproc").must(87, r"unsupported: arch_prctl\(ARCH_SET_GS\): .*use -f ptrace", out="before\n")
    run([program("refused"), "set_gs"], "-f", "ptrace").must(0, out="before\n42\n")
    for frontend in ("inproc", "ptrace"):
        run([program("refused"), "clone_apart"], "-f", frontend).must(0, out="before\n3\n")


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
    os.chmod(".", 0o755)
    # Wherever it was built, perhaps where that user cannot go.
    mvarmor, refused = (os.path.abspath(shutil.copy(path, ".")) for path in (MVARMOR[0], program("refused")))
    for frontend, status, out, said in (
            ("auto", 0, "before\n42\n", "mvarmor: front-end inproc cannot run here: the hard limit of memory (ulimit -H -v) leaves no room"),
            ("inproc", 125, "", "the hard limit of memory (ulimit -H -v)")):
        r = subprocess.run([mvarmor, *MVARMOR[1:], "-n", "2", "-f", frontend, "--", refused, "set_gs"], preexec_fn=limit, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30 * SLOWER)
        if r.returncode != status or r.stdout != out or said not in r.stderr:
            raise Wrong(f"{r}")


REFUSE_CODE = r"""
import ctypes, os, struct, sys
# mmap of prot 5, flags MAP_PRIVATE: EACCES.  ld.so's mappings are fixed.
ops = [(0x20, 0, 0, 0), (0x15, 0, 5, 9), (0x20, 0, 0, 32), (0x15, 0, 3, 5), (0x20, 0, 0, 40), (0x15, 0, 1, 2),
       (0x06, 0, 0, 0x5000D), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *op) for op in ops))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, struct.pack("HxxxxxxQ", len(ops), ctypes.addressof(code)), 0, 0):
    sys.exit(77)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@case
def auto_without_code():
    """... and ptrace where memory files cannot be mapped executable."""
    def refused(frontend):
        argv = [sys.executable, "-c", REFUSE_CODE] + MVARMOR + ["-f", frontend, "--", program("refused"), "set_gs"]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30 * SLOWER)

    r = refused("auto")
    if r.returncode == 77:
        raise Skip("no seccomp filter")
    if r.returncode or r.stdout != "before\n42\n" or not r.stderr.startswith(
            "mvarmor: front-end inproc cannot run here: memory files cannot be mapped executable: Permission denied (see mvarmor check)\n"):
        raise Wrong(f"{r}")
    r = refused("inproc")
    if r.returncode != 125 or r.stdout or "memory files cannot be mapped executable" not in r.stderr:
        raise Wrong(f"{r}")


ASKS = '''
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, nr, *args in (("userfaultfd", 323, 0x80801), ("io_uring_setup", 425, 4, 0), ("bpf", 321, 0, 0, 0),
                        ("process_vm_readv", 310, 1, 0, 0, 0, 0, 0), ("ptrace", 101, 0, 0, 0, 0), ("memfd_secret", 447, 0)):
    r = libc.syscall(nr, *args)
    print(name, errno.errorcode[ctypes.get_errno()] if r < 0 else r)
'''


@case
def denied_plainly():
    """What the table denies fails as it says, and the program goes on."""
    run(["/usr/bin/python3", "-I", "-S", "-c", ASKS]).must(0, out="userfaultfd ENOSYS\nio_uring_setup ENOSYS\nbpf EPERM\n"
                                                           "process_vm_readv EPERM\nptrace EPERM\nmemfd_secret ENOSYS\n")


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


if __name__ == "__main__":
    sys.exit(cases.main())
