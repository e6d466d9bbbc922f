#!/usr/bin/python3
"""nginx as gcc makes it against nginx as clang makes it, and a leader and a follower the other way round: files, a reload, an end.

nginx.py MVARMOR: builds Debian's source package twice, in a directory of its own that is removed again.  Exit status 0, 1, or 77
where the source cannot be had.
"""
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from source import Wrong, build, fetch_source, workshop

FRONTENDS = ("ptrace", "inproc")
BUILDS = {"gcc": "-O2", "clang": "-O1 -Wno-error"}
HEAD = "daemon off; worker_processes 2; pid {0}/pid; error_log {0}/error.log;"


def configure(version, port):
    user = "user www-data;" if os.getuid() == 0 else ""
    with open("nginx.conf", "w") as f:
        f.write(f"""{HEAD.format(os.getcwd())} {user}
events {{ worker_connections 64; }}
http {{
    access_log {os.getcwd()}/access.log;
    server {{ listen 127.0.0.1:{port}; root {os.getcwd()}/www; add_header Version {version}; }}
}}
""")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
            return r.read(), r.headers["Version"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None, None


def wait_for(what, condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"never: {what}")
        time.sleep(0.1)


def serve(mvarmor, frontend, leader, follower, content):
    port = free_port()
    configure("1", port)
    command = [mvarmor, "run", "-f", frontend, "-p", "leak", "-o", "log", f"--variant=1={follower}", "--",
               leader, "-c", os.path.abspath("nginx.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            wait_for("an answer", lambda: process.poll() is not None or get(port, "/file")[1] == "1")
            for _ in range(20):
                if get(port, "/file") != (content, "1"):
                    raise Wrong("another answer than the file")
            configure("2", port)
            with open("pid") as f:
                os.kill(int(f.read()), signal.SIGHUP)
            wait_for("the new configuration", lambda: process.poll() is not None or get(port, "/file") == (content, "2"))
            process.send_signal(signal.SIGQUIT)
            status = process.wait(60)
        except (Wrong, subprocess.TimeoutExpired, OSError) as e:
            process.kill()
            raise Wrong(f"{frontend}: {e}\n{open('log').read()[:3000]}") from None
    if status:
        raise Wrong(f"{frontend}: status {status}\n{open('log').read()[:3000]}")


def main():
    mvarmor = os.path.abspath(sys.argv[1])
    content = bytes(range(256)) * 1000
    with workshop():
        with open("www/file", "wb") as f:
            f.write(content)
        archive = fetch_source()
        nginx = {compiler: build(archive, compiler, compiler, flags) for compiler, flags in BUILDS.items()}
        try:
            for frontend in FRONTENDS:
                for leader, follower in (("gcc", "clang"), ("clang", "gcc")):
                    serve(mvarmor, frontend, nginx[leader], nginx[follower], content)
                    print(f"PASS {frontend}: {leader} leads {follower}", flush=True)
        except Wrong as e:
            print(f"FAIL {e}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
