# test: timeout=60 needs=memcached
"""memcached with four worker threads: each command, values of several sizes, several clients at once, flush and the end."""
import hashlib
import os
import socket
import threading
from common import Server, fail, free_port

CLIENTS = 6
ROUNDS = 150
port = free_port()


class Client:
    """One connection that speaks the text protocol."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.file = self.socket.makefile("rb")

    def ask(self, command, data=None):
        self.socket.sendall(command.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        return self.file.readline().decode().rstrip()

    def get(self, *keys):
        self.socket.sendall(("get " + " ".join(keys)).encode() + b"\r\n")
        found = {}
        while (line := self.file.readline().split())[0] == b"VALUE":
            found[line[1].decode()] = self.file.read(int(line[3]))
            self.file.readline()
        return found


def value(client, i):
    return bytes((client * 31 + i * 7 + k) % 251 for k in range((i * 37) % 3000))


def load(number, wrong):
    client = Client()
    for i in range(ROUNDS):
        data = value(number, i)
        if client.ask(f"set c{number}.{i % 20} 0 0 {len(data)}", data) != "STORED":
            wrong.append((number, i, "set"))
        if client.get(f"c{number}.{i % 20}").get(f"c{number}.{i % 20}") != data:
            wrong.append((number, i, "get"))
        if not client.ask("incr total 1").isdigit():
            wrong.append((number, i, "incr"))


# The server does not run as root; -u names who it becomes.
argv = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4", "-m", "64"]
argv += ["-u", "nobody"] if os.getuid() == 0 else []
with Server(argv, port) as server:
    client = Client()
    for command, data in (("set key 5 0 5", b"value"), ("add key 0 0 1", b"x"), ("replace key 0 0 3", b"new"),
                          ("append key 0 0 2", b"er"), ("prepend key 0 0 3", b"re-"), ("delete missing", None),
                          ("touch key 100", None), ("set n 0 0 2", b"41"), ("incr n 1", None), ("decr n 40", None),
                          ("set total 0 0 1", b"0"), ("nonsense", None), ("set large 0 0 500000", b"l" * 500000),
                          ("set huge 0 0 20", b"too long" * 4)):
        print(command, "->", client.ask(command, data))
    client = Client()
    print({key: hashlib.md5(data).hexdigest() for key, data in client.get("key", "n", "missing", "large").items()})
    wrong = []
    threads = [threading.Thread(target=load, args=(i, wrong)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        fail(f"wrong answers: {wrong[:5]}")
    print("total", client.get("total")["total"])
    print("flush", client.ask("flush_all"), client.get("key"), client.ask("version").split()[0])
    server.stop()
