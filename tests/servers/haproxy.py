# test: timeout=90 needs=haproxy,lighttpd,ab
"""haproxy with two threads in front of a lighttpd: both balanced backends, headers, a table, load, reload by a master process, the end."""
import hashlib
import os
import signal
import socket
import subprocess
from common import SLOWER, Server, ab, children, fetch, free_port, wait_for

port, admin_port, back_port = free_port(), free_port(), free_port()
here = os.getcwd()


def configure(version):
    with open("haproxy.cfg", "w") as f:
        f.write(f"""
global
    nbthread 2
    stats socket ipv4@127.0.0.1:{admin_port} level admin
    maxconn 200
defaults
    mode http
    timeout connect 10s
    timeout client 20s
    timeout server 20s
frontend in
    bind 127.0.0.1:{port}
    acl too_much path_beg /limited
    http-request track-sc0 path table st
    http-request deny deny_status 429 if too_much {{ sc_http_req_cnt(0) gt 2 }}
    http-request return status 200 content-type text/plain string "{version}" if {{ path /version }}
    default_backend back
backend st
    stick-table type string len 64 size 1k expire 10m store http_req_cnt
backend back
    balance roundrobin
    http-request set-header X-From haproxy
    server one 127.0.0.1:{back_port} check inter 1s
    server two 127.0.0.1:{back_port} check inter 1s
""")


def admin(command):
    """One command of the statistics socket."""
    with socket.create_connection(("127.0.0.1", admin_port), SLOWER * 10) as s:
        s.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


os.mkdir("www")
for size in (0, 100, 5000, 1000000):
    with open(f"www/{size}", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(size)))
with open("lighttpd.conf", "w") as f:
    f.write(f'server.document-root = "{here}/www"\nserver.bind = "127.0.0.1"\nserver.port = {back_port}\n')
configure("one")
backend = subprocess.Popen(["lighttpd", "-D", "-f", "lighttpd.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    with Server(["haproxy", "-W", "-p", "pid", "-f", "haproxy.cfg"], port) as server:
        wait_for("backend", lambda: fetch(port, "/100")[0] == 200)
        for path in ("/0", "/100", "/5000", "/1000000", "/missing", "/version"):
            status, body = fetch(port, path)
            print(path, status, len(body), hashlib.md5(body).hexdigest())
        print("limited", [fetch(port, "/limited")[0] for _ in range(4)])
        ab(port, "/5000", 400)
        ab(port, "/100", 1000, "-k")
        print("servers", [line.split(",")[:2] + line.split(",")[17].split()[:1] for line in admin("show stat").splitlines()
                          if line.startswith("back,")])
        print("disabled", repr(admin("disable server back/two")), fetch(port, "/100")[0])
        configure("two")
        server.send(signal.SIGUSR2)
        wait_for("new configuration", lambda: fetch(port, "/version")[1] == b"two")
        ab(port, "/100", 400)
        # A master that is about to execute itself would not know of a signal yet.
        with open("pid") as f:
            master = int(f.read())
        wait_for("the end of the old worker", lambda: children(master) == 1)
        server.stop()
finally:
    backend.kill()
    backend.wait()
