# test: timeout=400 needs=nginx
"""kill -9 of a random process of a running nginx under mvarmor, twenty times: leader, follower, worker or supervisor.

After each kill the run has ended or goes on serving; either way it can be ended, and nothing is left behind.
MV_TEST_SEED repeats the choice of victims, MV_TEST_ROUNDS changes the number of rounds.
"""
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "servers"))
from common import SLOWER, fetch, free_port  # noqa: E402

MVARMOR = json.loads(os.environ["MV_TEST_MVARMOR"])
ROUNDS = int(os.environ.get("MV_TEST_ROUNDS", "20"))
SEED = int(os.environ.get("MV_TEST_SEED", time.time_ns() % 1000000))
PORT = free_port()


def below(root):
    """Living processes below root: pid -> command."""
    parents, names = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                text = f.read()
        except OSError:
            continue
        rest = text.rpartition(")")[2].split()
        parents[int(entry)] = int(rest[1])
        if rest[0] not in "ZX":
            names[int(entry)] = text[text.index("(") + 1:text.rindex(")")]
    found, grown = {root}, True
    while grown:
        more = {p for p, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return {p: names[p] for p in found - {root} if p in names}


def doing(pids):
    """What the kernel tells of them."""
    text = ""
    for pid in pids:
        for name in ("stat", "wchan", "stack"):
            try:
                with open(f"/proc/{pid}/{name}", errors="replace") as f:
                    text += f"{pid} {name}: {f.read().strip()}\n"
            except OSError:
                pass
    return text


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def serving():
    try:
        return fetch(PORT, "/")[1] == b"alive\n"
    except OSError:
        return False


def wait_for(condition, seconds):
    end = time.monotonic() + SLOWER * seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Load(threading.Thread):
    """Requests without a pause, so that kills hit calls in flight."""

    def __init__(self):
        super().__init__(daemon=True)
        self.enough = threading.Event()

    def run(self):
        while not self.enough.is_set():
            if not serving():
                time.sleep(0.02)


def one_round(chance):
    process = subprocess.Popen(MVARMOR + ["-n", chance.choice("23"), "-p", chance.choice(["exec", "comprehensive"]), "-o", "log",
                                          "--", "nginx", "-c", os.path.abspath("nginx.conf"), "-e", os.path.abspath("error.log")],
                               stdin=subprocess.DEVNULL)
    load = Load()
    victim = "nobody"
    try:
        if not wait_for(serving, 20):
            return "never served"
        load.start()
        time.sleep(chance.random() * 0.3)
        processes = below(process.pid)
        processes[process.pid] = "mvarmor"
        pid = chance.choice(sorted(processes))
        victim = f"{pid} ({processes[pid]}) of {sorted(processes.values())}"
        os.kill(pid, signal.SIGKILL)
        if not wait_for(lambda: process.poll() is not None or serving(), 20):
            return f"neither ended nor served after the death of {victim}"
        process.terminate()
        try:
            process.wait(SLOWER * 20)
        except subprocess.TimeoutExpired:
            return f"no end after SIGTERM, after the death of {victim}"
    finally:
        load.enough.set()
        if process.poll() is None:
            process.kill()
            process.wait()
    if load.ident:
        load.join()

    def gone():
        reap()
        return not below(os.getpid())
    if not wait_for(gone, 5):
        left = below(os.getpid())
        then = doing(left)
        late = wait_for(gone, 60)
        return f"left behind for {'more than 5 s' if late else 'ever'} after the death of {victim}: {left}\n{then}"
    if serving():
        return f"still served after the death of {victim}"
    return None


def main():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)     # PR_SET_CHILD_SUBREAPER: what is left behind becomes ours
    chance = random.Random(SEED)
    user = "user root;" if os.getuid() == 0 else ""
    here = os.getcwd()
    with open("nginx.conf", "w") as f:
        f.write(f"""daemon off; worker_processes 2; pid {here}/pid; error_log {here}/error.log; {user}
events {{ worker_connections 64; }}
http {{ access_log off;
    client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d;
    scgi_temp_path {here}/e;
    server {{ listen 127.0.0.1:{PORT}; location / {{ return 200 "alive\\n"; }} }}
}}""")
    for number in range(1, ROUNDS + 1):
        problem = one_round(chance)
        if problem:
            print(f"round {number} of {ROUNDS}, MV_TEST_SEED={SEED}: {problem}")
            if os.path.exists("log"):
                with open("log", errors="replace") as f:
                    print(f.read()[:3000])
            return 1
    return 0


sys.exit(main())
