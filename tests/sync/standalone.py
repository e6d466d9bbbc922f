#!/usr/bin/python3
"""libmvsync by itself: standalone.py LIBRARY POOL.  What one run of POOL records, others repeat."""
import os
import subprocess
import sys
import tempfile
import time

library, pool = map(os.path.abspath, sys.argv[1:3])
failures = []
HEADER = 4096


def run(options=None, *args, before=()):
    env = dict(os.environ, LD_PRELOAD=library)
    if options:
        env["MVSYNC_OPTIONS"] = options
    r = subprocess.run([*before, pool, *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    return r.returncode, r.stdout, r.stderr


def begun(path):
    """Is there a header?"""
    try:
        with open(path, "rb") as file:
            return file.read(1) not in (b"", b"\0")
    except FileNotFoundError:
        return False


def expect(what, have, want):
    if have != want:
        failures.append(what)
        print(f"FAIL {what}: {have!r}, not {want!r}")


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    expect("without options it does nothing", run()[1].split()[0], "3000")
    expect("nor does it leave files", os.listdir("."), [])

    orders = set()
    for i in range(3):
        recorded = run("record=file")
        expect("a recorded run works", (recorded[0], recorded[1].split()[0]), (0, "3000"))
        orders.add(recorded[1])
        for _ in range(3):
            expect("a replay is as what was recorded", run("replay=file"), recorded)
    recorded = run("record=small,records=32768")
    expect("a smaller file does", (recorded[0], recorded[1].split()[:1]), (0, ["3000"]))
    expect("in a smaller file", run("replay=small", before=["env"]), recorded)

    with subprocess.Popen([pool], env=dict(os.environ, LD_PRELOAD=library, MVSYNC_OPTIONS="record=both"),
                          stdout=subprocess.PIPE, text=True) as leader:
        while not begun("both"):
            time.sleep(0.001)
        follower = run("replay=both")
        expect("a replay beside the recording", (leader.communicate(timeout=120)[0], 0), (follower[1], follower[0]))

    aborted = -6
    expect("a program that does otherwise", run("replay=file", "x")[::2],
           (aborted, "libmvsync: a thread comes to a rwlock where the record has a semaphore\n"))
    expect("a file that is full", run("record=file,records=16")[::2],
           (aborted, "libmvsync: the file is full; MVSYNC_OPTIONS: records= says how much it has room for\n"))
    expect("a replay of such a file", run("replay=file")[::2], (aborted, "libmvsync: the record ends here: its file was full\n"))
    with open("small", "r+b") as file:
        file.seek(HEADER + 100 * 8)
        file.write(bytes((32768 - 100) * 8))
    expect("a replay of a record that was not ended", run("replay=small")[::2],
           (aborted, "libmvsync: the record ends here: the process that wrote it is gone\n"))
    for options, message in {
            "record=/nowhere/file": "cannot write /nowhere/file: No such file or directory",
            "replay=nothing": "cannot read nothing: No such file or directory",
            f"replay={pool}": f"cannot read {pool}: it is no record of libmvsync's",
            "records=17": "MVSYNC_OPTIONS: 'records=17' is not a power of two from 16 to 4294967296",
            "recrod=x": "MVSYNC_OPTIONS: 'recrod=x' is not one of record=, replay=, records=",
    }.items():
        expect(options, run(options)[::2], (aborted, f"libmvsync: {message}\n"))
    os.chdir("/")
print(f"{len(orders)} different orders in 3 recordings")
sys.exit(1 if failures else 0)
