#!/usr/bin/env python3
"""Endurance: servers and short programs under load for long, then kill -9 of anything at any time, under each front-end.

No divergence, no wrong answer, no growth of memory or descriptors in the supervisors and in the variants (with inproc, the
monitors are in there); the figures are printed at the start, in the middle and at the end.  Then tests/chaos/nginx_kill.py,
as often as wanted: nothing is left behind.  Debian's nginx, redis, memcached, PostgreSQL, wrk; Python standard library only.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "servers")]
sys.dont_write_bytecode = True
import common  # noqa: E402
from common import fetch, free_port  # noqa: E402
from run_matrix import descendants, remains  # noqa: E402

PYTHON_PROGRAM = """
import hashlib, os, subprocess, threading
def work(n):
    found[n] = hashlib.md5(str(n).encode() * 100000).hexdigest()
found = {}
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(found.items()), subprocess.run(["sh", "-c", "echo child; exit 3"], stdout=subprocess.PIPE))
"""
SHORT = {"python": ["/usr/bin/python3", "-I", "-c", PYTHON_PROGRAM],
         "shell": ["sh", "-c", "for i in 1 2 3 4 5; do seq $i 500 | sort -r | head -n 2; ls / | wc -l; done"]}


POSTGRES = "/usr/lib/postgresql/15/bin/"
PATIENCE = 300  # seconds: what waits for so long waits for ever, also on a machine that others keep busy
WRONG = []      # short programs that went wrong; the servers go on meanwhile


NEVER = (1 << 60, 1 << 60)


class Failed(Exception):
    pass


class Service:
    """A server under mvarmor, and what it and its variants take."""

    def __init__(self, mvarmor, name, port, options, argv):
        self.name, self.port, self.log, self.samples = name, port, f"{name}.log", []
        with open(f"{name}.out", "wb") as out:
            self.process = subprocess.Popen([*mvarmor, "-o", self.log, *options, "--", *argv], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT)

    def check(self):
        if self.process.poll() is None:
            return
        text = ""
        if os.path.exists(self.log):
            with open(self.log, errors="replace") as f:
                text = f.read(4000)
        raise Failed(f"{self.name} has ended with status {self.process.returncode}\n{text}")

    def sample(self):
        """Kilobytes and descriptors of the supervisor, and of each process below it; of several looks the least."""
        self.check()
        least = {}
        for _ in range(5):
            for pid, state in descendants(self.process.pid):
                if state != "Z":
                    least[pid] = min(taken(pid), least.get(pid, NEVER), key=lambda figures: figures[1])
            time.sleep(1)
        self.samples.append(({self.process.pid: taken(self.process.pid)}, least))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def taken(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            memory = sum(int(line.split()[1]) for line in f if line.startswith(("RssAnon", "RssShmem")))
        return memory, len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0, 0


def wait_for_answer(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise Failed(f"{what} does not answer within {seconds} s")


def start_postgres(mvarmor, port):
    """Its files are made natively; it does not run as root, and writes structures with addresses in them to files (docs/limits.md)."""
    here = os.getcwd()
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    os.mkdir("data")
    if user:
        shutil.chown("data", "postgres", "postgres")
    subprocess.run([*user, POSTGRES + "initdb", "-D", f"{here}/data", "-A", "trust", "-U", "postgres", "-N", "--locale=C"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    with open("files.policy", "w") as f:
        f.write("base exec\nunchecked write@file writev@file pwrite64@file pwritev@file\n")
    return Service(mvarmor, "postgres", port, ["--turns=shared", "-p", f"{here}/files.policy"],
                   [*user, POSTGRES + "postgres", "-D", f"{here}/data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
                    "unix_socket_directories=", "-c", "fsync=off", "-c", "autovacuum_naptime=5", "-c", "shared_buffers=16MB"])


def start_services(mvarmor):
    here = os.getcwd()
    ports = [free_port() for _ in range(4)]
    user = "user root;" if os.getuid() == 0 else ""
    with open("nginx.conf", "w") as f:
        f.write(f"""daemon off; worker_processes 2; pid {here}/pid; error_log {here}/error.log; {user}
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;
    uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;
    server {{ listen 127.0.0.1:{ports[0]}; root {here}; location /alive {{ return 200 "alive\\n"; }} }} }}""")
    with open("page", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(5000)))
    root = ["-u", "nobody"] if os.getuid() == 0 else []
    services = [
        Service(mvarmor, "nginx", ports[0], ["--turns=shared"], ["nginx", "-c", f"{here}/nginx.conf", "-e", f"{here}/error.log"]),
        Service(mvarmor, "redis", ports[1], [], ["redis-server", "--port", str(ports[1]), "--bind", "127.0.0.1", "--save", "", "--dir", here,
                                                 "--jemalloc-bg-thread", "no"]),
        Service(mvarmor, "memcached", ports[2], [], ["memcached", "-l", "127.0.0.1", "-p", str(ports[2]), "-U", "0", "-t", "4", *root]),
        start_postgres(mvarmor, ports[3]),
    ]
    wait_for_answer(lambda: fetch(ports[0], "/alive")[1] == b"alive\n", "nginx")
    wait_for_answer(lambda: memcached(ports[2], b"version\r\n").startswith(b"VERSION"), "memcached")
    wait_for_answer(lambda: redis(ports[1], "ping") == "PONG", "redis")
    wait_for_answer(lambda: postgres(ports[3], "psql", "-c", "select 1").returncode == 0, "postgres")
    postgres(ports[3], "pgbench", "-i", "-q", "-s", "1", check=True)
    return services


def memcached(port, command):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(command)
        return s.recv(4096)


def redis(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()


def postgres(port, program, *args, check=False):
    env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres", PGDATABASE="postgres", PGCONNECT_TIMEOUT=str(PATIENCE))
    quiet = ["-X", "-A", "-t", "-q"] if program == "psql" else []
    return subprocess.run([POSTGRES + program, *quiet, *args], env=env, check=check, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


# ---- loads: one step each, repeated until the time is over; a wrong answer raises Failed ----

def load_nginx(port, _):
    done = subprocess.run(["wrk", "-t1", "-c8", "-d5s", f"http://127.0.0.1:{port}/page"], stdout=subprocess.PIPE, text=True)
    if done.returncode or "Non-2xx" in done.stdout or fetch(port, "/alive")[1] != b"alive\n":
        raise Failed("nginx: wrong answers\n" + done.stdout)


def load_redis(port, number):
    done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set,get,lpush,lpop", "-n", "2000", "-c", "8", "-r", "100", "-q"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    redis(port, "set", "number", str(number))
    if done.returncode or redis(port, "get", "number") != str(number):
        raise Failed("redis: wrong answers\n" + done.stdout)


def load_memcached(port, number):
    for i in range(200):
        if memcached(port, b"set k%d 0 0 6\r\n%06d\r\n" % (i % 50, number % 1000000)) != b"STORED\r\n":
            raise Failed("memcached: a value is not stored")
    if b"%06d" % (number % 1000000) not in memcached(port, b"get k7\r\n"):
        raise Failed("memcached: a wrong value")


def load_postgres(port, number):
    """Looks and transfers in turn, a new connection now and then; what was transferred must add up."""
    done = postgres(port, "pgbench", "-n", "-c", "3", "-T", "5", *[["-S"], [], ["-C", "-S"]][number % 3])
    added = postgres(port, "psql", "-c", "select (select sum(abalance) from pgbench_accounts) = (select sum(tbalance) from pgbench_tellers) "
                     "and (select sum(abalance) from pgbench_accounts) = (select coalesce(sum(delta), 0) from pgbench_history)")
    if done.returncode or added.stdout.strip() != "t":
        raise Failed(f"postgres: wrong answers\n{done.stdout}{added.stdout}")


def load_short(mvarmor, expected, number):
    name = sorted(SHORT)[number % len(SHORT)]
    log = f"{name}.log"
    done = subprocess.run([*mvarmor, "-o", log, "--", *SHORT[name]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if (done.returncode, done.stdout) != expected[name]:
        with open(log, errors="replace") as f:
            print(f"  {time.strftime('%X')} step {number} of {name}: status {done.returncode}, other output than natively\n{f.read(4000)}", flush=True)
        WRONG.append(name)


class Load(threading.Thread):
    def __init__(self, name, step):
        super().__init__(daemon=True, name=name)
        self.step, self.steps, self.problem, self.enough = step, 0, None, threading.Event()
        self.wanted, self.between = threading.Event(), threading.Event()
        self.wanted.set()

    def run(self):
        try:
            while not self.enough.is_set():
                self.step(self.steps)
                self.steps += 1
                if not self.wanted.is_set():
                    self.between.set()
                    self.wanted.wait()
                    self.between.clear()
        except (Failed, OSError, subprocess.SubprocessError) as e:
            self.problem = f"{self.name}: {e}"


def settle(loads, pause=2):
    """All loads between two steps for a moment: what connections take is no growth, and differs from moment to moment."""
    for load in loads:
        load.wanted.clear()
    for load in loads:
        while load.problem is None and not load.between.wait(1):
            pass
    time.sleep(pause)


def check(services, loads):
    """What went wrong with a load first may be its server's end, which says why when its report is made."""
    problem = next((load.problem for load in loads if load.problem), None)
    for _ in range(30 if problem else 1):
        for service in services:
            service.check()
        if problem:
            time.sleep(1)
    if problem:
        raise Failed(problem)


def watch(services, loads, seconds):
    """Until the time is over; samples after a tenth of it (caches are filled by then), in the middle, and at the end."""
    begin = time.monotonic()
    for share in (0.1, 0.55, 1):
        while time.monotonic() < begin + share * seconds:
            time.sleep(0.5)
            check(services, loads)
        settle(loads)
        for service in services:
            service.sample()
        for load in loads:
            load.wanted.set()


def total(sample):
    return tuple(map(sum, zip(*sample.values()))) or (0, 0)


def judge(services):
    """Print the figures; the names of those that have grown from the middle to the end."""
    grown = []
    print(f"  {'':20}{'start':>18}{'middle':>18}{'end':>18}")
    for service in services:
        for part, who in enumerate(("supervisor", "variants")):
            figures = [sample[part] for sample in service.samples]
            print(f"  {service.name + ' ' + who:20}" + "".join("%10d KiB%4d" % total(sample) for sample in figures))
            # A server's own processes come and go (autovacuum's): only those that live on can grow.
            lasting = figures[1].keys() & figures[2].keys()
            (middle, middle_fds), (end, end_fds) = (total({pid: sample[pid] for pid in lasting}) for sample in figures[1:])
            if end > middle * 1.1 + 4096 or end_fds > middle_fds + 16:
                grown.append(f"{service.name} {who}")
    return grown


def soak(mvarmor, seconds):
    expected = {}
    WRONG.clear()
    for name, argv in SHORT.items():
        native = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        expected[name] = (native.returncode, native.stdout)
    services = loads = []
    try:
        services = start_services(mvarmor)
        nginx, redis_, memcached_, postgres_ = services
        loads = [Load("nginx", lambda n: load_nginx(nginx.port, n)), Load("redis", lambda n: load_redis(redis_.port, n)),
                 Load("memcached", lambda n: load_memcached(memcached_.port, n)),
                 Load("postgres", lambda n: load_postgres(postgres_.port, n)), Load("short", lambda n: load_short(mvarmor, expected, n))]
        for load in loads:
            load.start()
        watch(services, loads, seconds)
        grown = judge(services)
        print("  steps of load:", ", ".join(f"{load.name} {load.steps}" for load in loads), flush=True)
        if WRONG:
            return "went wrong: " + ", ".join(WRONG)
        return "grown: " + ", ".join(grown) if grown else None
    except Failed as e:
        return str(e)
    finally:
        for load in loads:
            load.enough.set()
            load.wanted.set()
        for load in loads:
            load.join(60)
        for service in services:
            service.stop()


def kills(mvarmor, rounds):
    """The same kills as in tests/chaos, with a directory for temporary files that must be empty afterwards."""
    before = remains()
    os.mkdir("tmp")
    env = dict(os.environ, MV_TEST_MVARMOR=json.dumps(mvarmor), MV_TEST_ROUNDS=str(rounds), MV_TEST_SLOWER=str(PATIENCE / 20),
               TMPDIR=os.path.abspath("tmp"))
    done = subprocess.run([sys.executable, "-B", os.path.join(TESTS, "chaos", "nginx_kill.py")], env=env)
    left = sorted(remains() - before) + os.listdir("tmp")
    shutil.rmtree("tmp")
    if done.returncode:
        return "the kills: see above"
    return "left behind: " + ", ".join(left) if left else None


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", nargs="?", default=os.path.join(os.path.dirname(TESTS), "build"))
    p.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES") or 30), help="of load, per front-end (30)")
    p.add_argument("--kills", type=int, default=int(os.environ.get("KILLS") or 500), help="per front-end (500)")
    p.add_argument("-f", "--frontends", default="inproc,ptrace")
    o = p.parse_args()
    failed = False
    common.SLOWER = PATIENCE / 10
    for frontend in o.frontends.split(","):
        mvarmor = [os.path.realpath(os.path.join(o.build, "mvarmor")), "run", "-f", frontend]
        for what, work in ((f"{o.minutes:g} minutes of load", lambda m=mvarmor: soak([*m, "-n", "2"], 60 * o.minutes)),
                           (f"{o.kills} kills", lambda m=mvarmor: kills(m, o.kills))):
            print(f"{frontend}: {what}", flush=True)
            with tempfile.TemporaryDirectory(prefix="mvsoak.") as folder:
                os.chmod(folder, 0o755)
                os.chdir(folder)
                problem = work()
                os.chdir("/")
            print(f"{frontend}: {what}: " + (f"FAILED: {problem}" if problem else "passed"), flush=True)
            failed |= bool(problem)
    return failed


if __name__ == "__main__":
    sys.exit(main())
