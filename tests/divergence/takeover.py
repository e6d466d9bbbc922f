#!/usr/bin/python3
# test: timeout=120
"""--on-divergence vote with a leader in the minority: a follower takes its place, or the run ends and says why not.  See cases.py."""
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "servers"), os.path.join(os.path.dirname(HERE), "attack")]
import cases  # noqa: E402
from cases import Ended, Wrong, below, case, program, start, wait_for  # noqa: E402
from common import free_port  # noqa: E402
from recovery import DROPPED, SEED, odd, slices  # noqa: E402

cases.CASES.clear()  # those of recovery.py
LEADS = r"mvarmor: variant (\d), the leader, is dropped; variant (\d) leads now, (\d) of (\d) variants go on\n"


def succession(log, *expected):
    """Who has followed whom, and no others were dropped; of each change there is a report that says so."""
    found = [tuple(map(int, m[:2])) for m in re.findall(LEADS, log)]
    told = [tuple(map(int, m)) for m in re.findall(r"which goes on without the leader \(variant (\d)\): variant (\d) leads now\n", log)]
    if found != list(expected) or told != found:
        raise Wrong(f"{found} and {told}, not {expected}\n{log[:3000]}")


def refused(r, what):
    if not re.search(r"mvarmor: no follower can take the leader's place, the run ends: what cannot be carried over is " + what, r.log) or \
            re.search(LEADS, r.log):
        raise Wrong(f"not refused for {what}\n{r.log[:1500]}")


# ---- programs ----

def takes_over(how, *policies):
    def run_it():
        for policy in policies:
            for n in (3, 4):
                r = odd(how, 0, "vote", n=n, policy=policy).must(0, out="done\n")
                succession(r.log, (0, 1))
                if re.search(DROPPED, r.log):
                    raise Wrong(r.log[:1000])
    run_it.__name__ = "takeover_" + how
    run_it.__doc__ = f"{how} in the leader alone: the program does what it would have done without."
    case(run_it)


takes_over("call", "comprehensive")
takes_over("crash", "exec", "comprehensive", "leak")
takes_over("end", "exec", "comprehensive")


@case
def takeover_ran_ahead():
    """What the leader has done alone, since nobody waits for it by the policy, nobody can undo."""
    refused(odd("call", 0, "vote", n=3).must(86, "divergence: "), "calls that it has made already")


@case
def takeover_status():
    """The report and the status know who was the leader and who is."""
    r = odd("crash", 0, "vote", "--report", "r.json", "--status-fd", "1", n=3).must(0)
    with open("r.json") as f:
        told = json.load(f)
    if (told["leads"], told["number"]) != (1, 1) or [t["variant"] for t in told["threads"] if t["leader"]] != [0]:
        raise Wrong(f"report: {told['line']}, {told.get('leads')}")
    status = json.loads(r.out.splitlines()[-1])
    if status != {"kind": "exited", "status": 0, "divergences": 1}:
        raise Wrong(f"status {status}")


def tries(what):
    try:
        return what()
    except (OSError, http.client.HTTPException):
        return None


# ---- a server with clients ----

class Client:
    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20 * cases.SLOWER)
        self.stream = self.socket.makefile("rw")

    def ask(self, line):
        self.stream.write(line + "\n")
        self.stream.flush()
        return self.stream.readline().rstrip("\n")


class Clients:
    """odd_clients, and three clients that stay."""

    def __init__(self, *argv, n=3, policy="leak", options=(), mode="vote"):
        self.port = free_port()
        self.odd = slices(n)
        self.process = start([program("odd_clients"), str(self.port), *argv], "--seed", SEED, "--on-divergence", mode, *options, n=n,
                             policy=policy)
        self.clients = [wait_for("server", self.connect)]
        self.clients += [Client(self.port) for _ in range(2)]

    def connect(self):
        try:
            return Client(self.port)
        except OSError:
            return None

    def expect(self, *answers):
        """Each client in turn asks and is answered."""
        for client in self.clients:
            for line, answer in answers:
                got = client.ask(line)
                if not re.fullmatch(answer, got):
                    raise Wrong(f"{line}: {got!r}, not {answer!r}\n{self.log()[:2500]}")

    def log(self):
        with open(cases.LOG) as f:
            return f.read()

    def end(self, status=9):
        self.clients[0].stream.write("quit\n")
        self.clients[0].stream.flush()
        return Ended(self.process, 30).must(status)


def serves_on(how, n=3, policy="leak"):
    server = Clients(n=n, policy=policy)
    server.expect(("hello", "hello 1"), ("file abc", r"\d+"), ("event", r"\d+"))
    server.clients[0].ask("pipe kept")
    before = server.clients[1].ask("state")
    pid = int(re.search(r"pid (\d+)", before)[1])
    if server.clients[2].ask(f"odd {how} {server.odd[0]}") != "odd":
        raise Wrong(f"no answer to the odd request\n{server.log()[:2500]}")
    succession(server.log(), (0, 1))
    got = [server.clients[0].ask(line) for line in ("hello", "file def", "event", "pipe", "child")]
    if got != ["hello 5", "12", "44", "kept", "0"]:
        raise Wrong(f"afterwards: {got}")
    server.clients.append(Client(server.port))
    server.expect(("hello", r"hello \d+"), ("child", "0"))
    # Timers go on, and signals find the new leader.
    server.process.send_signal(signal.SIGUSR1)
    time.sleep(0.5)
    wait_for("signal", lambda: server.clients[3].ask("state").startswith(f"1 alarms, 1 expirations, 1 signals, pid {pid},"))
    with open("written") as f:
        if f.read() != "abcabcabcdef":
            raise Wrong("the file holds something else")
    return server


@case
def clients_call():
    """An odd call of the leader's: nothing of it is made, no client notices."""
    for n, policy in ((3, "comprehensive"), (4, "comprehensive")):
        serves_on("call", n, policy).end()


@case
def clients_crash():
    """A crash of the leader's, where the policy makes nobody wait."""
    for n, policy in ((3, "exec"), (3, "leak"), (4, "comprehensive")):
        serves_on("crash", n, policy).end()


@case
def clients_end():
    """A leader that ends alone, by itself or by a signal to itself."""
    serves_on("end").end()
    serves_on("kill").end()


@case
def clients_again():
    """Of four, two leaders are voted out; of the last two none is a majority."""
    server = serves_on("crash", 4)
    if server.clients[1].ask(f"odd crash {server.odd[1]}") != "odd":
        raise Wrong("no answer to the second odd request")
    succession(server.log(), (0, 1), (1, 2))
    server.expect(("hello", r"hello \d+"), ("child", "0"))
    server.clients[1].stream.write(f"odd crash {server.odd[2]}\n")
    server.clients[1].stream.flush()
    r = Ended(server.process, 30).must(86)
    if "the run ends, since it has no majority without it" not in r.log:
        raise Wrong(r.log[-1000:])


@case
def clients_then_follower():
    """After a change of the leader a follower is voted out."""
    server = serves_on("crash", 4)
    if server.clients[1].ask(f"odd crash {server.odd[3]}") != "odd":
        raise Wrong("no answer to the second odd request")
    server.expect(("hello", r"hello \d+"), ("child", "0"))
    r = server.end()
    if [int(m[0]) for m in re.findall(DROPPED, r.log)] != [3]:
        raise Wrong(r.log[:2000])


@case
def clients_end_by_signal():
    """What ends the new leader ends the run, and nobody is left."""
    server = serves_on("crash")
    server.process.send_signal(signal.SIGTERM)
    Ended(server.process, 30).must(-signal.SIGTERM)


@case
def clients_nothing_left():
    """Of the former leader nothing is left while the run goes on."""
    server = serves_on("crash")
    wait_for("its end", lambda: not any(not foreign for _, foreign, _ in below(server.process.pid).values()))
    server.end()


# ---- several processes ----

def voted_out(server, client, how="crash"):
    if client.ask(f"odd {how} {server.odd[0]}") != "odd":
        raise Wrong(f"no answer to the odd request\n{server.log()[:2500]}")
    succession(server.log(), (0, 1))


def worker_serves_on(how, policy):
    """Its parent waits for it, and makes another when it dies: under the new leader as under the old one."""
    server = Clients("worker", policy=policy)
    server.expect(("hello", "hello 1"), ("common", r"\d"))
    who = server.clients[1].ask("who")
    voted_out(server, server.clients[2], how)
    got = [server.clients[0].ask(line) for line in ("hello", "common", "who", "child")]
    if got != ["hello 3", "4", who, "0"]:
        raise Wrong(f"afterwards: {got}, {who}")
    server.clients.append(Client(server.port))
    server.expect(("hello", r"hello \d+"))
    server.clients[0].stream.write("die\n")
    server.clients[0].stream.flush()
    server.clients = [wait_for("the next worker", server.connect)]
    got = [server.clients[0].ask(line) for line in ("hello", "common", "child")]
    if got != ["hello 1", "5", "0"] or server.clients[0].ask("who") == who or who.split()[2] != server.clients[0].ask("who").split()[2]:
        raise Wrong(f"the next worker: {got}, {who}")
    server.end()


@case
def worker_crash():
    worker_serves_on("crash", "leak")


@case
def worker_call():
    worker_serves_on("call", "comprehensive")


@case
def workers_busy():
    """Another worker has requests while one is voted out."""
    server = Clients("workers")
    clients = [Client(server.port) for _ in range(12)]
    of = {}
    for client in clients:
        of.setdefault(client.ask("who"), []).append(client)
    (one, *_), (other, *_) = of.values()    # none has room for all
    stop = threading.Event()
    asked = []

    def ask():
        while not stop.is_set():
            asked.append(other.ask("hello"))
    busy = threading.Thread(target=ask)
    busy.start()
    try:
        voted_out(server, one)
        before = len(asked)
        wait_for("requests", lambda: len(asked) > before + 20)
    finally:
        stop.set()
        busy.join()
    if asked != [f"hello {i}" for i in range(2, len(asked) + 2)]:
        raise Wrong(f"requests are lost: {asked[:5]} ... {asked[-5:]}")
    server.clients[0].ask("common")
    server.end()


# ---- several threads ----

def threads_serve_on(how, n, policy):
    """Some wait for a condition, one for a pipe; all have something to do for an answer."""
    server = Clients("threads", n=n, policy=policy)
    server.expect(("work", r"\d+"), ("work", r"\d+"))
    before = int(server.clients[0].ask("work"))
    voted_out(server, server.clients[2], how)
    got = [int(server.clients[i % 3].ask("work")) for i in range(6)]
    if got != [before + 3 * i for i in range(1, 7)] or server.clients[1].ask("child") != "0":
        raise Wrong(f"afterwards: {got}, {before}")
    server.end()


@case
def threads_asleep():
    threads_serve_on("crash", 3, "exec")
    threads_serve_on("call", 3, "comprehensive")
    threads_serve_on("crash", 4, "leak")


class Asking(threading.Thread):
    """A client that never stops; some of its requests are on another connection."""

    def __init__(self, client, stop):
        super().__init__(daemon=True)
        self.client, self.stop, self.got, self.failed = client, stop, [], None
        self.start()

    def run(self):
        try:
            while not self.stop.is_set():
                self.got.append(int(self.client.ask("ticket")))
                if not len(self.got) % 10:
                    with Client(self.client.port).socket as other:
                        other.sendall(b"hello\n")
                        other.recv(100)
        except (OSError, ValueError) as e:
            self.failed = e


def pool_serves_on(how, n, policy):
    """A thread for each client, which are all busy, and others that are so without them: no ticket is lost, none is given twice."""
    server = Clients("pool", n=n, policy=policy)
    stop = threading.Event()
    asking = [Asking(Client(server.port), stop) for _ in range(5)]
    try:
        wait_for("load", lambda: all(a.got for a in asking))
        voted_out(server, server.clients[2], how)
        before = [len(a.got) for a in asking]
        wait_for("service afterwards", lambda: all(a.failed or len(a.got) > b + 5 for a, b in zip(asking, before)), 30)
    finally:
        stop.set()
        for a in asking:
            a.join(20)
    tickets = sorted(n for a in asking for n in a.got)
    if any(a.failed for a in asking) or tickets != list(range(1, len(tickets) + 1)):
        raise Wrong(f"{[a.failed for a in asking]}, tickets {tickets[-10:]}")
    if server.clients[0].ask("child") != "0":
        raise Wrong("no children any more")
    server.end()


@case
def threads_busy():
    pool_serves_on("crash", 3, "exec")
    pool_serves_on("call", 3, "comprehensive")


# ---- real servers ----

def leaders(process, name):
    """The leader's processes of that name, parents first."""
    return sorted(pid for pid, (n, foreign, _) in below(process.pid).items() if n == name and not foreign)


def damage(pid, path):
    """All code of the program itself is of no use any more, in this process alone."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", 0) as mem:
        for line in maps:
            if " r-xp " in line and line.rstrip().endswith(path):
                begin, end = (int(x, 16) for x in line.split()[0].split("-"))
                mem.seek(begin)
                mem.write(b"\x0f\x0b" * ((end - begin) // 2))


class Web:
    """A connection that is kept."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * cases.SLOWER)
        self.connection.connect()
        self.connection.auto_open = 0

    def ask(self):
        self.connection.request("GET", "/text")
        response = self.connection.getresponse()
        return response.status, response.read()


def server_log():
    with open(cases.LOG) as f:
        return f.read()


@case
def nginx_worker():
    """nginx, whose worker is damaged in the leader: its clients notice nothing, nor does its master."""
    path = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise cases.Skip("no nginx")
    port, here = free_port(), os.getcwd()
    os.chmod(here, 0o755)
    user = "user www-data;" if os.getuid() == 0 else ""
    with open("nginx.conf", "w") as f:
        temporary = " ".join(f"{kind}_temp_path {here}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        f.write(f"daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log; {user} events {{ }} http {{ access_log off; "
                f"{temporary} server {{ listen 127.0.0.1:{port}; location /text {{ return 200 text; }} }} }}\n")
    process = start([path, "-c", f"{here}/nginx.conf", "-e", f"{here}/error.log"], "--on-divergence", "vote", "--turns=shared", n=3)
    try:
        kept = wait_for("nginx", lambda: tries(lambda: Web(port)))
        if kept.ask() != (200, b"text"):
            raise Wrong("no answer")
        damage(leaders(process, "nginx")[-1], path)
        if kept.ask() != (200, b"text"):
            raise Wrong("another answer on the same connection")
        succession(server_log(), (0, 1))
        # The new leader's master makes a new worker, and the old one goes.
        process.send_signal(signal.SIGHUP)
        wait_for("the old worker's end", lambda: not tries(kept.ask))
        if Web(port).ask() != (200, b"text"):
            raise Wrong("another answer of the new worker's")
        process.send_signal(signal.SIGTERM)
        Ended(process, 30).must(0)
    finally:
        process.kill()


@case
def ordinary_user():
    """The same for an ordinary user, whose followers are in user namespaces."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise cases.Skip("not root, as whom all other cases run: or no setpriv")
    place = tempfile.mkdtemp(prefix="mvarmor-")
    try:
        os.chmod(place, 0o755)
        programs = [shutil.copy(path, place) for path in (cases.MVARMOR[0], program("odd_one"))]
        for path in programs:
            os.chmod(path, 0o755)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", programs[0], *cases.MVARMOR[1:], "-n", "3", "-p", "exec",
                "--seed", SEED, "--on-divergence", "vote", "--", programs[1], "crash", str(slices(3)[0])]
        r = subprocess.run(argv, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60 * cases.SLOWER)
        if r.returncode == 125 and "user namespace" in r.stderr:
            raise cases.Skip("no user namespaces here, and mvarmor says so")
        if (r.returncode, r.stdout) != (0, "done\n"):
            raise Wrong(f"{r.returncode}, {r.stdout}\n{r.stderr[:2000]}")
        succession(r.stderr, (0, 1))
    finally:
        shutil.rmtree(place)


# ---- what is not carried over ----

def is_refused(held, what, *options):
    def run_it():
        server = Clients(held, options=options)
        server.expect(("hello", "hello 1"))
        server.clients[1].stream.write(f"odd crash {server.odd[0]}\n")
        server.clients[1].stream.flush()
        refused(Ended(server.process, 30).must(86, "divergence: the leader got SIGSEGV"), what)
    run_it.__name__ = "refused_" + held
    run_it.__doc__ = f"The run ends, and says that it is {what}."
    case(run_it)


for refused_held, refused_what in (
        ("lock", r"a record lock \(fcntl F_SETLK\) on file "), ("timer", r"a timer \(timer_create\)"),
        ("map", r"a shared mapping of .*written"), ("memfd", r"descriptor \d+ \(/memfd:memory"),
        ("path", r"descriptor \d+ \(/\), which is open as a path only"),
        ("semaphore", "System V IPC"), ("namespace", "a UTS namespace of its own")):
    is_refused(refused_held, refused_what)
is_refused("threads", r"threads that run at once \(--threads\)", "--threads=free")


@case
def carried_more():
    """A lock of the open file's, a session of its own, an owner of a descriptor."""
    for held in ("flock", "session", "owner"):
        server = Clients(held)
        if server.clients[1].ask(f"odd crash {server.odd[0]}") != "odd":
            raise Wrong(held)
        succession(server.log(), (0, 1))
        with open("written") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = False
            except OSError:
                locked = True
        if locked != (held == "flock"):
            raise Wrong("the lock is lost")
        server.end()


if __name__ == "__main__":
    sys.exit(cases.main())
