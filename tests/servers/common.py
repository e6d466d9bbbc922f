"""Start a server below whatever MV_TEST_PREFIX says (nothing, or mvarmor run ...), load it, stop it; print what must be equal."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

PREFIX = json.loads(os.environ.get("MV_TEST_PREFIX", "[]"))
SLOWER = float(os.environ.get("MV_TEST_SLOWER", "1"))
SECONDS = 3
SKIP = 77


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + SLOWER * seconds
    while time.monotonic() < end:
        try:
            value = condition()
        except (OSError, urllib.error.URLError, subprocess.SubprocessError):
            value = None
        if value:
            return value
        time.sleep(0.05)
    return fail(f"{what}: not within {seconds} s")


def reported():
    """Has mvarmor said anything?  Another server's run would overwrite it."""
    log = PREFIX[PREFIX.index("-o") + 1] if "-o" in PREFIX else None
    return log and os.path.exists(log) and os.path.getsize(log)


class Server:
    """One server process; used in a with statement, so that it is gone at the end whatever happens."""

    def __init__(self, argv, port):
        if reported():
            fail("an earlier server has ended with a report")
        self.port = port
        self.process = subprocess.Popen(PREFIX + argv, stdin=subprocess.DEVNULL, stdout=open("server.out", "wb"),
                                        stderr=subprocess.STDOUT)

    def __enter__(self):
        wait_for("server is listening", self.listening)
        return self

    def __exit__(self, *exception):
        if exception[0] and PREFIX:
            # What went wrong may be that mvarmor has stopped the server: let it write its report.
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        return False

    def listening(self):
        if self.process.poll() is not None:
            with open("server.out", errors="replace") as f:
                print(f.read()[-2000:])
            fail(f"server ended with status {self.process.returncode} instead of listening")
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Stop it by a signal and print how it ended."""
        if self.process.poll() is not None:
            fail(f"server ended by itself with status {self.process.returncode}")
        self.send(number)
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            fail(f"no end 15 s after {signal.Signals(number).name}")
        print(f"after {signal.Signals(number).name}: status {status}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            print("still listening")
        except OSError:
            print("no longer listening")


def children(of):
    """The processes below one, that are not on their way out."""
    listed = subprocess.run(["ps", "-o", "stat=", "--ppid", str(of)], stdout=subprocess.PIPE, text=True).stdout.split()
    return sum(not state.startswith("Z") for state in listed)


def self_signed(certificate, key):
    """A certificate for 127.0.0.1 and its key, made by openssl (natively)."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)


def client_tls(certificate):
    """What a client needs that trusts this certificate only; for fetch()."""
    return ssl.create_default_context(cafile=certificate)


def fetch(port, path, data=None, tls=None):
    """(status, body) of one request, on a connection of its own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    scheme = "https" if tls else "http"
    try:
        with opener.open(f"{scheme}://127.0.0.1:{port}{path}", data=data, timeout=SLOWER * 10) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def wrk(port, path, errors_count=True, scheme="http"):
    """Load for some seconds; print that there were answers and no wrong ones; while a server reloads, some connections end."""
    out = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", f"{scheme}://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", out)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    # wrk also counts requests that were slow, which is no error.
    print("wrk: answers", requests > 20, "wrong answers", wrong[1] if wrong else 0)
    if errors_count:
        print("socket errors", sum(map(int, errors.groups())) if errors else 0)


def ab(port, path, requests, *flags):
    """So many requests by apache's client, eight at a time; print how many there were and what was wrong."""
    done = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "8", *flags, f"http://127.0.0.1:{port}{path}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SLOWER * 40)
    figures = dict(re.findall(r"^(Complete requests|Failed requests|Non-2xx responses):\s+(\d+)", done.stdout, re.M))
    if done.returncode:
        fail(done.stdout)
    if "-k" in flags:
        # A connection that the server closes between two requests counts as a failure.
        figures.pop("Failed requests")
    print("ab", path, figures)
