#!/usr/bin/python3
"""Measure programs natively and under mvarmor in the same run: medians, one table with the ratio.

Each figure is the median of --runs measurements; native and mvarmor take turns, so that what else the machine does hits both.
--history appends one line of JSON to a file, bench/history.jsonl if none is named, which holds one for each revision that was
measured.  docs/performance.md tells what the rows are.  Python standard library only.
"""
import argparse
import contextlib
import dataclasses
import functools
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIMEOUT = 120


class Missing(Exception):
    pass


def need(*programs):
    missing = [p for p in programs if not shutil.which(p, path=PATH)]
    if missing:
        raise Missing("not installed: " + ", ".join(missing))


def output(argv):
    """Standard output of a command that must succeed."""
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       errors="replace", timeout=TIMEOUT)
    if r.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {r.returncode}: {(r.stdout + r.stderr)[-500:]}")
    return r.stdout


def milliseconds(argv):
    start = time.monotonic()
    output(argv)
    return (time.monotonic() - start) * 1000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(argv, port):
    with open("server.log", "wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    with open("server.log", errors="replace") as f:
                        raise RuntimeError(f"{argv[0]} does not listen: {f.read()[-500:]}") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# A benchmark is called with a prefix and the options, and yields its measuring function, which is called --runs times while
# the context is open.

def compiled(name):
    need("cc")
    binary = os.path.abspath(name)
    if not os.path.exists(binary):
        output(["cc", "-O2", "-o", binary, os.path.join(HERE, name + ".c")])
    return binary


@contextlib.contextmanager
def getppid(prefix, options):
    """As the leader's program sees it, in a loop so long that the start does not count."""
    calls = "20000" if prefix and options.frontend == "ptrace" else "2000000"
    argv = prefix + [compiled("getppid"), calls]
    yield lambda: float(output(argv)) / 1000


@contextlib.contextmanager
def clock(prefix, options):
    looks = "20000" if prefix and options.frontend == "ptrace" else "5000000"
    argv = prefix + [compiled("clock"), looks]
    yield lambda: float(output(argv)) / 1000


@contextlib.contextmanager
def bare_filter(prefix, options):
    """The same against a program under nothing but the least filter that the front-end inproc needs."""
    if options.frontend != "inproc":
        raise Missing("only with -f inproc")
    argv = prefix + [compiled("getppid"), "2000000"] + ([] if prefix else ["filtered"])
    yield lambda: float(output(argv)) / 1000


def floor(what):
    """getppid under the front-end ptrace against a tracer that takes the same stops and does nothing else (see floor.c)."""
    @contextlib.contextmanager
    def benchmark(prefix, options):
        if options.frontend != "ptrace":
            raise Missing("only with -f ptrace")
        argv = prefix + [compiled("getppid"), "20000"] if prefix else [compiled("floor"), "20000", str(options.variants), what]
        yield lambda: float(output(argv)) / 1000
    return benchmark


@contextlib.contextmanager
def dd(prefix, options):
    count = "20000" if prefix and options.frontend == "ptrace" else "400000"
    argv = prefix + ["dd", "if=/dev/zero", "of=/dev/null", "bs=4k", "count=" + count, "status=none"]
    yield lambda: milliseconds(argv) * 1000 / int(count)


STARTS = {
    "start of true": ["true"],
    "ls /usr/bin": ["ls", "/usr/bin"],
    "bash 10 x fork+exec": ["bash", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done"],
}


def start(argv):
    @contextlib.contextmanager
    def benchmark(prefix, options):
        need(argv[0])
        yield lambda: milliseconds(prefix + argv)
    return benchmark


def bare_start(argv):
    """Against as many traced copies, in namespaces and under a filter, for which nothing else is done (see starts.c)."""
    @contextlib.contextmanager
    def benchmark(prefix, options):
        need(argv[0])
        before = prefix or [compiled("starts"), str(options.variants)]
        yield lambda: milliseconds(before + argv)
    return benchmark


def starting_rows():
    rows = {}
    for name, limits in (("start of true", {"limit": 20}), ("ls /usr/bin", {"target": 3}), ("bash 10 x fork+exec", {"target": 4})):
        rows[name] = Row(start(STARTS[name]), "ms", **limits)
        rows[name + " / bare"] = Row(bare_start(STARTS[name]), "ms")
    return rows


# ---- programs that compute ----

@functools.cache
def text_file(megabytes):
    """Words that compress as text does, always the same."""
    path, state, words = os.path.abspath(f"text.{megabytes}"), 1, []
    while sum(map(len, words)) < 65536:
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        words.append("".join(chr(97 + (state >> i) % 26) for i in range(8, 8 + state % 7 * 5, 5)))
    block = " ".join(words).encode()
    with open(path, "wb") as f:
        for i in range(megabytes << 20 >> 16):
            f.write(block[i:] + block[:i])
    return path


@functools.cache
def source_file():
    path = os.path.abspath("functions.c")
    with open(path, "w") as f:
        for i in range(400):
            f.write(f"int f{i}(int a, int b) {{ for (int i = 0; i < a; i++) b += i % {i + 2} ? b / {i + 3} : a << 1; return b; }}\n")
    return path


def computing(make_argv):
    @contextlib.contextmanager
    def benchmark(prefix, options):
        argv = make_argv()
        need(argv[0])
        yield lambda: milliseconds(prefix + argv)
    return benchmark


def side_by_side(make_argv):
    """The same against as many native copies at once as there are variants: what they have to share is no cost of ours."""
    @contextlib.contextmanager
    def benchmark(prefix, options):
        argv = make_argv()
        need(argv[0])

        def copies():
            start = time.monotonic()
            running = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(options.variants)]
            if any([process.wait(TIMEOUT) for process in running]):
                raise RuntimeError(f"{' '.join(argv)} failed")
            return (time.monotonic() - start) * 1000
        yield (lambda: milliseconds(prefix + argv)) if prefix else copies
    return benchmark


# ---- servers ----

def wrk(port, options):
    """Requests per second of one page of 4 KiB, by ten connections."""
    text = output(["wrk", "-t1", "-c10", f"-d{options.seconds}s", f"http://127.0.0.1:{port}/page"])
    if "Non-2xx" in text:
        raise RuntimeError(f"wrong answers: {text}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def page():
    os.makedirs("www", exist_ok=True)
    with open("www/page", "wb") as f:
        f.write(b"x" * 4096)


@contextlib.contextmanager
def nginx(prefix, options):
    need("nginx", "wrk")
    port, here = free_port(), os.getcwd()
    page()
    user = "user root;" if os.getuid() == 0 else ""
    conf = os.path.abspath(f"nginx.{port}.conf")
    with open(conf, "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {here}/pid.{port}; error_log {here}/error.log; {user}
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; keepalive_requests 1000000;
    client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d;
    scgi_temp_path {here}/e;
    server {{ listen 127.0.0.1:{port}; root {here}/www; }} }}""")
    with server(prefix + ["nginx", "-c", conf, "-e", f"{here}/error.log"], port):
        yield lambda: wrk(port, options)


@contextlib.contextmanager
def lighttpd(prefix, options):
    need("lighttpd", "wrk")
    port, here = free_port(), os.getcwd()
    page()
    conf = os.path.abspath(f"lighttpd.{port}.conf")
    with open(conf, "w") as f:
        f.write(f"""server.document-root = "{here}/www"
server.port = {port}
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 1000000
""")
    with server(prefix + ["lighttpd", "-D", "-f", conf], port):
        yield lambda: wrk(port, options)


def redis(command):
    @contextlib.contextmanager
    def benchmark(prefix, options):
        need("redis-server", "redis-benchmark")
        port = free_port()
        requests = "10000" if prefix and options.frontend == "ptrace" else "100000"

        def measure():
            text = output(["redis-benchmark", "-p", str(port), "-t", command, "-n", requests, "-c", "50", "--csv"])
            return float(text.splitlines()[-1].split(",")[1].strip('"'))
        with server(prefix + ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", os.getcwd()], port):
            yield measure
    return benchmark


@dataclasses.dataclass
class Row:
    benchmark: object
    unit: str
    more: bool = False		# is better
    target: float = None		# of mvarmor's figure divided by the native one: at least if more is better, else at most
    limit: float = None		# of mvarmor's figure itself, at most
    policy: str = None		# if it is not the option's

    def aim(self):
        if self.limit is not None:
            return f"<= {self.limit:g} {self.unit}"
        return "" if self.target is None else f"{'>=' if self.more else '<='} {self.target:g}x"

    def met(self, native, under):
        if self.limit is not None:
            return under <= self.limit
        if self.target is None:
            return None
        return under >= native * self.target if self.more else under <= native * self.target


PYTHON = "s = 0\nfor i in range(6000000): s = (s * 31 + i) & 0xffffffff\nprint(s)"
COMPUTING = {
    "bzip2": lambda: ["bzip2", "-kc", text_file(4)],
    "xz": lambda: ["xz", "-3kc", text_file(16)],
    "python3": lambda: ["/usr/bin/python3", "-c", PYTHON],
    "gcc -O2": lambda: ["gcc", "-O2", "-c", "-o", "/dev/null", source_file()],
    "openssl sha512": lambda: ["openssl", "dgst", "-sha512", text_file(256)],
}


def computing_rows():
    rows = {}
    for name, make_argv in COMPUTING.items():
        rows[name] = Row(computing(make_argv), "ms", target=1.03)
        rows[name + " / copies"] = Row(side_by_side(make_argv), "ms")
    return rows


ROWS = {
    "getppid": Row(getppid, "us/call", limit=0.25),
    "getppid / bare filter": Row(bare_filter, "us/call"),
    "clock_gettime": Row(clock, "us/call"),
    "getppid / bare stops": Row(floor("stops"), "us/call"),
    "getppid / bare ptrace": Row(floor("requests"), "us/call"),
    "dd 4k": Row(dd, "us/block", target=2),
    **starting_rows(),
    **computing_rows(),
    "nginx, 4 KiB": Row(nginx, "req/s", more=True, target=0.75),
    "lighttpd, 4 KiB": Row(lighttpd, "req/s", more=True, target=0.70),
    "redis GET": Row(redis("get"), "req/s", more=True, target=0.75),
    "redis SET": Row(redis("set"), "req/s", more=True, target=0.75),
    "nginx, 4 KiB, leak": Row(nginx, "req/s", more=True, target=0.50, policy="leak"),
    "redis GET, leak": Row(redis("get"), "req/s", more=True, target=0.50, policy="leak"),
    "redis SET, leak": Row(redis("set"), "req/s", more=True, target=0.50, policy="leak"),
}


def revision():
    r = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       text=True)
    return r.stdout.strip() or "unknown"


def measure(row, mvarmor, options):
    """(native, under mvarmor) medians, or an exception that says why not."""
    prefix = [mvarmor, "run", "-f", options.frontend, "-n", str(options.variants), "-p", row.policy or options.policy,
              "--log", "none", "--"]
    values = ([], [])
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(row.benchmark(p, options)) for p in ([], prefix)]
        for _ in range(options.runs):
            for one, found in zip(both, values):
                found.append(one())
    return tuple(statistics.median(v) for v in values)


def measure_all(names, mvarmor, options):
    """Print a line for each; (results, whether one failed)."""
    results, failed = {}, False
    print(f"{'':22} {'native':>12} {'mvarmor':>12} {'':8} {'ratio':>8}  target")
    for name in names:
        row = ROWS[name]
        try:
            native, under = measure(row, mvarmor, options)
        except Missing as e:
            print(f"{name:22} skipped: {e}", flush=True)
            continue
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as e:
            print(f"{name:22} FAILED: {e}", flush=True)
            failed = True
            continue
        met = row.met(native, under)
        results[name] = {"native": native, "mvarmor": under, "unit": row.unit, "ratio": under / native, "target": row.aim(), "met": met}
        says = "" if met is None else f"{row.aim()}{'' if met else '  MISSED'}"
        print(f"{name:22} {native:12.2f} {under:12.2f} {row.unit:8} {under / native:7.2f}x  {says}", flush=True)
    return results, failed


def main():
    root = os.path.dirname(HERE)
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", nargs="?", default=os.path.join(root, "build"), help="build directory with mvarmor in it")
    p.add_argument("-n", "--variants", type=int, default=2)
    p.add_argument("-f", "--frontend", default="inproc", choices=["inproc", "ptrace"])
    p.add_argument("-p", "--policy", default="exec")
    p.add_argument("-r", "--runs", type=int, default=5)
    p.add_argument("-s", "--seconds", type=int, default=1, help="of load for one measurement of a server")
    p.add_argument("-o", "--only", action="append", metavar="NAME", help="benchmarks whose name contains NAME")
    p.add_argument("--history", metavar="FILE", nargs="?", const=os.path.join(HERE, "history.jsonl"),
                   help="append the result as one line of JSON (to bench/history.jsonl)")
    options = p.parse_args()
    mvarmor = os.path.realpath(os.path.join(options.build, "mvarmor"))
    if not os.access(mvarmor, os.X_OK):
        sys.exit(f"{mvarmor} is not there: build it first")
    history = os.path.abspath(options.history) if options.history else None
    names = [n for n in ROWS if not options.only or any(o in n for o in options.only)]
    if not names:
        sys.exit(f"no such benchmark; there are {', '.join(ROWS)}")
    os.environ.update(PATH=PATH, LC_ALL="C.UTF-8")
    with tempfile.TemporaryDirectory(prefix="mvb.") as work:
        os.chmod(work, 0o755)
        os.chdir(work)
        load = os.getloadavg()[0]
        results, failed = measure_all(names, mvarmor, options)
        os.chdir("/")
    print(f"medians of {options.runs}, front-end {options.frontend}, -n {options.variants}, policy {options.policy}, {os.cpu_count()} CPUs, "
          f"load {load:.1f} before")
    if history:
        entry = {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "revision": revision(), "kernel": platform.release(),
                 "cpus": os.cpu_count(), "load": load, "variants": options.variants, "policy": options.policy,
                 "frontend": options.frontend, "runs": options.runs, "results": results}
        with open(history, "a") as f:
            f.write(json.dumps(entry) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
