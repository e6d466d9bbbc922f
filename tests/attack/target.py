"""A vulnerable program that runs, natively or under mvarmor, and all that its attacker knows.

The attacker of these tests is as strong as one can be who does not know more than one variant: every address and every byte of the
leader (read from outside, in place of leaks that no one could see on the wire), and the files of the program and its libraries.
"""
import functools
import os
import re
import select
import struct
import subprocess
import time

LIBC = "libc.so.6"


class Refused(Exception):
    """The program has gone before it was attacked, or does not answer."""


def p64(*values):
    return struct.pack(f"<{len(values)}Q", *(v & 0xFFFFFFFFFFFFFFFF for v in values))


@functools.cache
def symbols(path):
    text = ""
    for option in ("-D", "-a"):
        text += subprocess.run(["nm", option, "--defined-only", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               check=False).stdout
    found = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3:
            found.setdefault(fields[2].split("@")[0], int(fields[0], 16))
    return found


@functools.cache
def executable_segments(path):
    """(address, bytes) of the parts of a file that are mapped executable."""
    with open(path, "rb") as f:
        data = f.read()
    phoff, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    parts = []
    for i in range(count):
        kind, flags, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, phoff + i * size)
        if kind == 1 and flags & 1:
            parts.append((address, data[offset:offset + length]))
    return parts


@functools.cache
def gadget(path, code):
    """Where the bytes are in a file's code, as an address of the file."""
    for address, text in executable_segments(path):
        at = text.find(code)
        if at >= 0:
            return address + at
    raise LookupError(f"{path} has no {code.hex()} in its code")


def read_maps(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        for line in f:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+ *(.*)", line)
            yield int(m[1], 16), int(m[2], 16), m[3], int(m[4], 16), m[5]


class Known:
    """What the attacker knows of a process: its addresses and its memory."""

    def __init__(self, program, pid=0):
        self.program, self.pid = program, pid
        self.sent = []			# addresses of the leader's that the attack depends on

    def base(self, name):
        """Where the file of that name (None: the program) begins, and its path."""
        path = os.path.realpath(self.program) if name is None else None
        for start, _, _, offset, where in read_maps(self.pid):
            if offset == 0 and (where == path if path else os.path.basename(where) == name):
                return start, where
        raise Refused(f"process {self.pid} has no {name or path} mapped")

    def use(self, address):
        self.sent.append(address)
        return address

    def symbol(self, symbol, library=None):
        base, path = self.base(library)
        fixed = library is None and self.fixed()
        return self.use((0 if fixed else base) + symbols(path)[symbol])

    def gadget(self, code, library=LIBC):
        base, path = self.base(library)
        return self.use(base + gadget(path, code))

    def string(self, text, library=LIBC):
        """Where a file's mapped bytes have a string, whichever segment it is in."""
        base, path = self.base(library)
        with open(path, "rb") as f:
            at = f.read().index(text + b"\0")
        for start, end, _, offset, where in read_maps(self.pid):
            if where == path and offset <= at < offset + end - start:
                return self.use(start + at - offset)
        raise Refused(f"{text!r} of {path} is not mapped at {base:#x}")

    def find(self, marker):
        """The address of bytes in the leader's writable memory.  In files and in the text of the program they do not count."""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            for start, end, perms, _, where in read_maps(self.pid):
                if not perms.startswith("rw") or where.startswith(("/memfd:", "/dev/")) or end - start > 64 << 20:
                    continue
                try:
                    memory.seek(start)
                    at = memory.read(end - start).find(marker)
                except OSError:
                    continue
                if at >= 0:
                    return self.use(start + at)
        raise Refused(f"process {self.pid} does not have {marker!r} in its memory")

    def fixed(self):
        with open(self.program, "rb") as f:
            return struct.unpack_from("<H", f.read(18), 16)[0] == 2


class Target(Known):
    def __init__(self, argv, program):
        super().__init__(program)
        self.output = b""
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready()

    def ready(self):
        """Wait for the program; sets pid and distance, what it says of itself."""
        line = self.line()
        m = re.fullmatch(rb"ready (\d+) (-?\d+)\n", line)
        if not m:
            raise Refused(f"the program says {line!r}")
        self.pid, self.distance = int(m[1]), int(m[2])

    def line(self, timeout=20):
        """One line of the output; what there is of it at the end."""
        end = time.monotonic() + timeout
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise Refused("the program does not answer")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                break
            line += byte
        self.output += line
        return line

    # ---- what the attacker does ----

    def send(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def lump(self, data):
        self.send(struct.pack("<H", len(data)) + data)

    def end(self, timeout=20):
        """No more input: (exit status, output, messages)."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise Refused("the program does not end") from None
        self.output += out
        return self.process.returncode, self.output, err.decode(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass
