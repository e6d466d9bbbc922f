# test: timeout=60 needs=beanstalkd
"""beanstalkd with a write-ahead log: jobs by several connections for some seconds, delays, burial, restart with the jobs kept."""
import os
import socket
import time
from common import SECONDS, Server, fail, free_port

port = free_port()
os.mkdir("wal")


class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")

    def ask(self, line, body=None):
        """Send a command (and a body), return the words of the answer's first line, and its body if it has one."""
        self.socket.sendall(line.encode() + b"\r\n" + (body + b"\r\n" if body is not None else b""))
        words = self.file.readline().decode().split()
        if not words:
            fail(f"connection closed after {line}")
        data = self.file.read(int(words[-1]) + 2)[:-2] if words[0] in ("RESERVED", "OK", "FOUND") else None
        return words, data


with Server(["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", "wal"], port) as server:
    a, b = Client(), Client()
    print(a.ask("use tube"), b.ask("watch tube"), b.ask("ignore default"))
    print(a.ask("put 10 0 60 5", b"first"), a.ask("put 1 0 60 6", b"urgent"))
    print(b.ask("reserve"), b.ask("bury 2 1"), b.ask("peek-ready")[0])
    print(a.ask("put 1 1 60 7", b"delayed"), b.ask("reserve-with-timeout 0"), b.ask("reserve-with-timeout 0"))
    print(b.ask("reserve-with-timeout 5"), b.ask("delete 3"), b.ask("delete 1"), b.ask("delete 99"))
    print(a.ask("kick 10"), a.ask("nonsense"))
    clients = [Client() for _ in range(4)]
    for c in clients:
        c.ask("use load")
        c.ask("watch load")
    done, wrong, end = 0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        for i, c in enumerate(clients):
            body = f"job {done} {i} ".encode() * (1 + done % 300)
            put = c.ask(f"put 5 0 60 {len(body)}", body)[0]
            words, got = c.ask("reserve")
            wrong += got != body or put[0] != "INSERTED" or c.ask(f"delete {words[1]}")[0] != ["DELETED"]
            done += 1
    print("jobs", done > 20, "wrong", wrong)
    print(a.ask("use kept"), a.ask("put 3 0 60 4", b"kept")[0][0])
    print([l for l in a.ask("stats")[1].decode().splitlines() if l.startswith(("current-jobs-ready", "cmd-kick"))])
    server.stop()
with Server(["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", "wal"], port) as server:
    c = Client()
    c.ask("watch kept")
    print("kept", c.ask("reserve-with-timeout 1")[1])
    server.stop()
