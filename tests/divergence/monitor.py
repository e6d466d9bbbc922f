#!/usr/bin/python3
# test: timeout=90
"""The monitor inside of the variants (inproc): what it and the supervisor keep code of a variant from.  See cases.py."""
import ctypes
import os
import re
import signal
import sys
import time

import cases
from cases import Skip, Wrong, below, case, program, run, start, wait_for

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "data")


def inside(argv, *options, **how):
    r = run(argv, "-f", "inproc", *options, **how)
    if r.status == 77:
        raise Skip(r.out)
    return r


@case
def change_monitor():
    """Calls from the monitor's own gate that would change its memory end the run; so does what cannot be had elsewhere."""
    for how in ("munmap", "munmap_all", "mprotect", "pkey_mprotect", "madvise", "mremap", "mremap_onto", "mmap_over", "mmap_gap",
                "mremap_gap"):
        name = how.split("_")[0] if how != "pkey_mprotect" else how
        for layout in ("disjoint", "same"):
            inside([program("change_monitor"), how], "--layout", layout).must(
                86, rf"divergence: variant \d tries to change the monitor's memory: {name}\(", out="")
    inside([program("change_monitor"), "mmap_over_by_call"]).must(0, out="mmap_over_by_call: -1\n")
    inside([program("change_monitor"), "none"]).must(0, out="none: 1\n")


@case
def denied_from_gate():
    """The filter denies what the table denies, for calls from the gate too."""
    r = inside([program("denied_from_gate")]).must(0)
    got = [line.rsplit(": ", 1)[1] for line in r.out.splitlines()]
    wanted = ["EPERM", "EINVAL", "EPERM", "EPERM", "ENOSYS", "EPERM", "EPERM", "ok", "ENOSYS", "EPERM", "EINVAL",
              "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS", "EINVAL", "EACCES", "EPERM", "ENOSYS", "ENOSYS", "ENODEV",
              "ENOSYS", "ENOSYS"]
    if got != wanted:
        raise Wrong(f"{r.out}\nnot {wanted}")


def alone(name):
    return rf"divergence: variant \d makes a sensitive call alone: {re.escape(name)}$"


MAKES_EXECUTABLE = {"mprotect": ["10", "page", "4096", "5"], "mmap": ["9", "0", "4096", "5", "0x22", "-1"],
                    "pkey_mprotect": ["329", "page", "4096", "5", "-1"], "shmat": ["30", "0", "0", "0x8000"]}
STARTS_PROGRAM = {"execve": ["59", "true", "args", "0"], "execveat": ["322", "0", "true", "args", "0", "0"]}


def table(name):
    with open(os.path.join(DATA, name)) as f:
        head = f.readline().rstrip("\n").split("\t")
        return [dict(zip(head, line.rstrip("\n").split("\t"))) for line in f]


def sensitive_calls():
    """Whatever the table has in the groups that policy exec makes wait, with operands that do no harm: name, arguments."""
    calls = {r["name"]: r for r in table("syscalls.tsv")}
    found = {name: MAKES_EXECUTABLE[name] for name, r in calls.items() if "prot" in r["flags"].split(",")}
    found |= {name: [r["nr"], "1", *["0"] * 4] for name, r in calls.items() if "pid" in r["flags"].split(",")}
    for row in list(calls.values()) + table("subcalls.tsv"):
        parent = calls[row.get("parent", row["name"])]
        if row["class"].startswith(("DENY", "EMUL")) or not {"exec", "privilege"} & set(row["groups"].split(",")) or \
                not {"exec", "privilege"} & set(parent["groups"].split(",")):
            continue
        args = ["0"] * 5
        name = row["name"]
        if row is not parent:
            args[int(parent["sel"])] = row["selector"].split("-")[0]
            name = f"{parent['name']}({name})"
        found[name] = STARTS_PROGRAM.get(name, [parent["nr"], *args])
    return found


def made_past_engine(name, arguments):
    def run_it():
        for n in (2, 3):
            inside([program("sensitive_alone"), "all", *arguments], n=n).must(86, alone(name), out="")
    return run_it


for sensitive_name, sensitive_arguments in sensitive_calls().items():
    function = made_past_engine(sensitive_name, sensitive_arguments)
    function.__name__ = "past_engine_" + re.sub(r"\W+", "_", sensitive_name).strip("_").lower()
    function.__doc__ = f"{sensitive_name}, made from the gate by all variants: the engine was not asked."
    case(function)


def caught(argv, line):
    """Half of the variants do it: the leader alone, a follower alone are stopped; none of them, all is well."""
    by = set()
    for seed in range(1, 25):
        r = inside(argv, "--seed", str(seed))
        if r.status == 0 and r.out.endswith("made\n"):
            continue
        r.must(86, line)
        variant = re.search(r"variant (\d)", r.first).group(1)
        if variant == "0" and r.out:
            raise Wrong(f"the leader has gone on: {r.out}")
        by.add(variant)
        if len(by) == 2:
            return
    raise Wrong(f"with none of the seeds did both the leader and a follower make the call alone, but {by}")


@case
def sensitive_alone():
    """One variant does what all would have to do."""
    for name in ("mprotect", "mmap", "execve", "setuid", "kill", "fork", "mount", "prlimit64"):
        caught([program("sensitive_alone"), "some", *sensitive_calls()[name]], alone(name))


@case
def sensitive_again():
    """What all variants have asked for is made once: one of them cannot make it again."""
    for name in ("mprotect", "mmap", "setuid", "setgroups", "kill", "prctl(PR_SET_KEEPCAPS)"):
        caught([program("sensitive_alone"), "again", *sensitive_calls()[name]], alone(name))


@case
def sensitive_relaxed():
    """Where nothing waits nothing is arbitrated: the call is a difference like any other."""
    inside([program("sensitive_alone"), "all", *sensitive_calls()["setuid"]], policy="performance").must(0, out="made\n")


@case
def kill_supervisor_from_gate():
    """One variant cannot kill what watches it."""
    caught([program("sensitive_alone"), "some", "62", "parent", "9"], alone("kill"))


REFUSED = "opens a way to write to a monitor's memory: refused"


def opens_memory(how):
    def run_it():
        # Policy comprehensive, so that the leader is there as long as the follower looks at its files.
        r = inside([program("open_memory"), how], policy="comprehensive").must(0, out=f"{how}: EACCES\n")
        if REFUSED not in r.log:
            raise Wrong(f"not reported: {r.log}")
    return run_it


for memory_way in ("open", "openat", "creat", "openat2", "task", "link", "link_by_call", "again"):
    function = opens_memory(memory_way)
    function.__name__ = "open_memory_" + memory_way
    function.__doc__ = "Memory cannot be opened to be written, from the gate neither, by whatever name."
    case(function)


@case
def open_memory_supervisor():
    """Nor can the supervisor's: the leader's parent is it, the follower's is not there."""
    r = inside([program("open_memory"), "supervisor"])
    if REFUSED not in r.log:
        raise Wrong(f"not reported: {r.log}")


@case
def open_memory_to_read():
    """The supervisor knows where all is in all variants: nor can its memory be read, nor what variants and it have in common."""
    for how in ("supervisor_read", "arena_read"):
        r = inside([program("open_memory"), how]).must(0, out=f"{how}: EACCES\n")
        if "opens a file that shows a monitor's memory: refused" not in r.log:
            raise Wrong(f"not reported: {r.log}")
    inside([program("open_memory"), "memory_file"]).must(0, out="memory_file: open\n")


@case
def open_to_write():
    """Other files can."""
    r = inside([program("open_memory"), "other"]).must(0, out="other: open\n")
    if REFUSED in r.log or not os.path.exists("other"):
        raise Wrong(f"log: {r.log}")


def monitors_of(process, name, count):
    """Processes below with a monitor, and where it lies: pid -> [(start, end, permissions)], all from the first of the arena's file to the last."""
    def find():
        found = {}
        for pid in below(process.pid):
            try:
                with open(f"/proc/{pid}/comm") as f:
                    named = f.read() == name + "\n"
                with open(f"/proc/{pid}/maps") as f:
                    maps = [re.match(r"(\w+)-(\w+) (\S+) .*?(\S*)(?: \(deleted\))?$", line).groups() for line in f]
            except OSError:
                continue
            of_file = [i for i, m in enumerate(maps) if m[3].startswith("/memfd:mvarmor-arena")]
            if named and len(of_file) == 4:
                found[pid] = [(int(m[0], 16), int(m[1], 16), m[2]) for m in maps[of_file[0]:of_file[3] + 1]]
        return found if len(found) >= count else None
    return wait_for(f"{count} processes of {name} with a monitor", find)


@case
def monitor_text_is_fixed():
    """Not even who may write to all of a process's memory can write to its monitor's text."""
    process = start(["sleep", "100"], "-f", "inproc")
    try:
        for pid, parts in monitors_of(process, "sleep", 2).items():
            if parts[0][2] != "r-xs":
                raise Wrong(f"{parts}")
            try:
                fd = os.open(f"/proc/{pid}/mem", os.O_RDWR)
            except PermissionError:
                raise Skip("may not open the memory of other processes") from None
            try:
                first = os.pread(fd, 16, parts[0][0])
                os.pwrite(fd, first, parts[0][0])
                raise Wrong("written")
            except OSError:
                pass
            finally:
                os.close(fd)
    finally:
        process.kill()
        process.communicate()


@case
def monitor_is_sealed():
    """Where the kernel can seal memory the monitor's is, in children and after an exec as well."""
    if ctypes.CDLL(None, use_errno=True).syscall(462, 0, 0, 0) != 0:
        raise Skip("no mseal here")
    process = start(["sh", "-c", "(exec sleep 100) & (sleep 100) & exec sleep 100"], "-f", "inproc")

    def flags_of(pid, start_at):
        with open(f"/proc/{pid}/smaps") as f:
            return re.search(rf"^0*{start_at:x}-(?:.*\n)*?VmFlags:(.*)", f.read(), re.M)

    def all_flags():
        """None if one of them was still about to be mapped, as at an exec."""
        found = [(pid, part, flags_of(pid, part[0])) for pid, parts in monitors_of(process, "sleep", 6).items() for part in parts]
        return found if all(flags for _, _, flags in found) else None
    try:
        end = time.monotonic() + 10
        while not (found := all_flags()):
            if time.monotonic() > end:
                raise Wrong("no monitor stays where it is")
            time.sleep(0.1)
        for pid, (start_at, _, permissions), flags in found:
            if "sl" not in flags.group(1).split():
                raise Wrong(f"{pid}: {start_at:x} {permissions} is not sealed: {flags.group(1)}")
    finally:
        process.kill()
        process.communicate()


@case
def look_for_monitor():
    """Probing finds no monitor, wherever it is, nor does /proc tell of it; that it was looked for is reported."""
    r = inside([program("look_for_monitor")], timeout=80).must(0, out="listed: 0 0, found: 0\n")
    if "gives write an address of the monitor's" not in r.log:
        raise Wrong(f"log: {r.log}")
    script = "cd /proc/self && grep -c arena maps smaps numa_maps; cat mem pagemap task/self/mem map_files/* 2>/dev/null; head -c 9 smaps_rollup"
    r = run(["sh", "-c", script], "-f", "inproc").must(0)
    if "mvarmor" in r.out or re.search(":[1-9]", r.out) or not r.out.endswith("\n00000000-"):
        raise Wrong(f"{r.out!r}")


@case
def proc_tells():
    """No file of /proc/self has an address of the monitor's in it."""
    inside([program("proc_tells")], timeout=60).must(0, out="looked: 1, told: 0\n")


# What a program's own instructions may do to the parts of the monitor, where that has a protection key.
REACHES = "goes to memory of the monitor's itself"
REFUSED_TO = {"read": ("state", "heap", "arena", "text"), "write": ("head", "state", "heap", "arena", "text")}
ALLOWED_TO = {"read": ("head", "scratch"), "write": ("scratch",)}


@case
def reach_monitor():
    """Loads and stores do not get at the monitor's memory, and such attempts are reported."""
    for how, places in REFUSED_TO.items():
        for place in places:
            r = inside([program("reach_monitor"), how, place]).must(-signal.SIGSEGV, out="")
            if REACHES not in r.log:
                raise Wrong(f"{how} {place}: not reported: {r.log}")
    for how, places in ALLOWED_TO.items():
        for place in places:
            inside([program("reach_monitor"), how, place]).must(0, out="done\n")
    # Without a key there would be nothing to refuse.
    inside([program("reach_monitor"), "read", "arena"], "--pku", "off").must(0, out="done\n")


@case
def reach_monitor_midst():
    """Its code cannot be begun in the midst."""
    inside([program("reach_monitor"), "midst", "entry"]).must(86, r"divergence: variant \d has come into the midst of the monitor$", out="")


@case
def reach_monitor_jump():
    """A jump to one of the instructions that open the monitor's memory, with registers that open it, does not."""
    for n in range(8):
        r = inside([program("reach_monitor"), "jump", str(n)])
        if "open" in r.out or (r.status == 0 and r.out != "closed\n"):
            raise Wrong(f"wrpkru {n}: {r.status} {r.out}")
        # What is in the way's scratch and registers may be no call.
        if r.status not in (0, 86, 87, 125, -signal.SIGSEGV):
            raise Wrong(f"wrpkru {n}: {r.status} {r.log}")


@case
def reach_monitor_kernel():
    """Nor does what the kernel is told: frames of signals, calls about keys."""
    inside([program("reach_monitor"), "kernel", "-"]).must(0, out="000000 14\ndone\n")


@case
def set_gs():
    """The gs register is the monitor's."""
    source = "import ctypes; libc = ctypes.CDLL(None); b = ctypes.c_ulong(7); "
    get = source + "print(libc.syscall(158, 0x1004, ctypes.byref(b)), b.value, libc.syscall(158, 0x1001, 0))"
    run([sys.executable, "-c", get], "-f", "inproc").must(0, out="0 0 0\n")
    run([sys.executable, "-c", source + "libc.syscall(158, 0x1001, ctypes.byref(b))"], "-f", "inproc").must(
        87, r"unsupported: arch_prctl\(ARCH_SET_GS\): .*use -f ptrace")


if __name__ == "__main__":
    sys.exit(cases.main())
