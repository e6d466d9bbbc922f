#!/usr/bin/python3
"""Measure programs natively and under mvarmor in the same run: medians, one table with the ratio.

Each figure is the median of --runs measurements; native and mvarmor take turns, so that what else the machine does hits both.
--history FILE appends one line of JSON.  Python standard library only.
"""
import argparse
import contextlib
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
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
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


# Each benchmark yields its measuring function for one prefix; it is called --runs times while the context is open.

def compiled(name):
    need("cc")
    binary = os.path.abspath(name)
    if not os.path.exists(binary):
        output(["cc", "-O2", "-o", binary, os.path.join(HERE, name + ".c")])
    return binary


@contextlib.contextmanager
def getppid(prefix, options):
    binary = compiled("getppid")
    calls = "20000" if prefix else "500000"
    yield lambda: float(output(prefix + [binary, calls])) / 1000


@contextlib.contextmanager
def clock(prefix, options):
    binary = compiled("clock")
    looks = "20000" if prefix else "5000000"
    yield lambda: float(output(prefix + [binary, looks])) / 1000


def floor(what):
    """getppid under mvarmor against a tracer that takes the same stops and does nothing else (see floor.c)."""
    @contextlib.contextmanager
    def benchmark(prefix, options):
        argv = prefix + [compiled("getppid"), "20000"] if prefix else [compiled("floor"), "20000", str(options.variants), what]
        yield lambda: float(output(argv)) / 1000
    return benchmark


@contextlib.contextmanager
def dd(prefix, options):
    yield lambda: milliseconds(prefix + ["dd", "if=/dev/zero", "of=/dev/null", "bs=4k", "count=20000", "status=none"])


@contextlib.contextmanager
def ls(prefix, options):
    yield lambda: milliseconds(prefix + ["ls", "/usr/bin"])


@contextlib.contextmanager
def bash(prefix, options):
    need("bash")
    yield lambda: milliseconds(prefix + ["bash", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done"])


@contextlib.contextmanager
def nginx(prefix, options):
    need("nginx", "wrk")
    port, here = free_port(), os.getcwd()
    os.makedirs("www", exist_ok=True)
    with open("www/page", "wb") as f:
        f.write(b"x" * 4096)
    user = "user root;" if os.getuid() == 0 else ""
    conf = os.path.abspath(f"nginx.{port}.conf")
    with open(conf, "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {here}/pid.{port}; error_log {here}/error.log; {user}
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; keepalive_requests 1000000;
    client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d;
    scgi_temp_path {here}/e;
    server {{ listen 127.0.0.1:{port}; root {here}/www; }} }}""")

    def measure():
        text = output(["wrk", "-t1", "-c8", f"-d{options.seconds}s", f"http://127.0.0.1:{port}/page"])
        if "Non-2xx" in text:
            raise RuntimeError(f"nginx answers wrongly: {text}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    with server(prefix + ["nginx", "-c", conf, "-e", f"{here}/error.log"], port):
        yield measure


def redis(command):
    @contextlib.contextmanager
    def benchmark(prefix, options):
        need("redis-server", "redis-benchmark")
        port = free_port()
        requests = "10000" if prefix else "50000"

        def measure():
            text = output(["redis-benchmark", "-p", str(port), "-t", command, "-n", requests, "-c", "8", "--csv"])
            return float(text.splitlines()[-1].split(",")[1].strip('"'))
        with server(prefix + ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", os.getcwd()], port):
            yield measure
    return benchmark


# name: benchmark, unit, whether more is better
BENCHMARKS = {
    "getppid": (getppid, "us/call", False),
    "clock_gettime": (clock, "us/call", False),
    "getppid / bare stops": (floor("stops"), "us/call", False),
    "getppid / bare ptrace": (floor("requests"), "us/call", False),
    "dd 4k": (dd, "ms", False),
    "ls /usr/bin": (ls, "ms", False),
    "bash 10 x fork+exec": (bash, "ms", False),
    "nginx, 4 KiB": (nginx, "req/s", True),
    "redis GET": (redis("get"), "req/s", True),
    "redis SET": (redis("set"), "req/s", True),
}


def revision():
    r = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       text=True)
    return r.stdout.strip() or "unknown"


def measure(name, prefix, options):
    """(native, under mvarmor) medians, or an exception that says why not."""
    benchmark = BENCHMARKS[name][0]
    values = ([], [])
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(benchmark(p, options)) for p in ([], prefix)]
        for _ in range(options.runs):
            for one, found in zip(both, values):
                found.append(one())
    return tuple(statistics.median(v) for v in values)


def main():
    root = os.path.dirname(HERE)
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", nargs="?", default=os.path.join(root, "build"), help="build directory with mvarmor in it")
    p.add_argument("-n", "--variants", type=int, default=2)
    p.add_argument("-f", "--frontend", default="ptrace")
    p.add_argument("-p", "--policy", default="exec")
    p.add_argument("-r", "--runs", type=int, default=5)
    p.add_argument("-s", "--seconds", type=int, default=1, help="of load for one measurement of a server")
    p.add_argument("-o", "--only", action="append", metavar="NAME", help="benchmarks whose name contains NAME")
    p.add_argument("--history", metavar="FILE", help="append the result as one line of JSON")
    options = p.parse_args()
    mvarmor = os.path.realpath(os.path.join(options.build, "mvarmor"))
    if not os.access(mvarmor, os.X_OK):
        sys.exit(f"{mvarmor} is not there: build it first")
    history = os.path.abspath(options.history) if options.history else None
    names = [n for n in BENCHMARKS if not options.only or any(o in n for o in options.only)]
    if not names:
        sys.exit(f"no such benchmark; there are {', '.join(BENCHMARKS)}")
    prefix = [mvarmor, "run", "-f", options.frontend, "-n", str(options.variants), "-p", options.policy, "--log", "none", "--"]
    os.environ.update(PATH=PATH, LC_ALL="C.UTF-8")
    results, failed = {}, False
    print(f"{'':22} {'native':>12} {'mvarmor':>12} {'':8} {'slower by':>10}")
    with tempfile.TemporaryDirectory(prefix="mvb.") as work:
        os.chmod(work, 0o755)
        os.chdir(work)
        for name in names:
            unit, more = BENCHMARKS[name][1:]
            try:
                native, under = measure(name, prefix, options)
            except Missing as e:
                print(f"{name:22} skipped: {e}", flush=True)
                continue
            except (RuntimeError, subprocess.TimeoutExpired, OSError) as e:
                print(f"{name:22} FAILED: {e}", flush=True)
                failed = True
                continue
            ratio = native / under if more else under / native
            results[name] = {"native": native, "mvarmor": under, "unit": unit, "ratio": ratio}
            print(f"{name:22} {native:12.2f} {under:12.2f} {unit:8} {ratio:9.1f}x", flush=True)
        os.chdir("/")
    print(f"medians of {options.runs}, -n {options.variants}, policy {options.policy}, {os.cpu_count()} CPUs")
    if history:
        entry = {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "revision": revision(), "kernel": platform.release(),
                 "cpus": os.cpu_count(), "variants": options.variants, "policy": options.policy, "frontend": options.frontend,
                 "runs": options.runs, "results": results}
        with open(history, "a") as f:
            f.write(json.dumps(entry) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
