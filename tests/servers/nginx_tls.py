# test: timeout=60 needs=nginx,wrk,openssl heap turns=shared
"""nginx with TLS: two workers, a shared session cache, a limit_req zone, the binary's upgrade while it serves."""
import hashlib
import os
import shutil
import signal
from common import Server, children, client_tls, fetch, free_port, self_signed, wait_for, wrk

port, plain_port = free_port(), free_port()
self_signed("cert.pem", "key.pem")
tls = client_tls("cert.pem")
user = "user www-data;" if os.getuid() == 0 else ""
with open("nginx.conf", "w") as f:
    f.write(f"""
worker_processes 2; pid {os.getcwd()}/pid; error_log {os.getcwd()}/error.log crit; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {os.getcwd()}/body; proxy_temp_path {os.getcwd()}/proxy;
    fastcgi_temp_path {os.getcwd()}/fastcgi; uwsgi_temp_path {os.getcwd()}/uwsgi; scgi_temp_path {os.getcwd()}/scgi;
    ssl_certificate {os.getcwd()}/cert.pem; ssl_certificate_key {os.getcwd()}/key.pem;
    ssl_session_cache shared:tls:1m;
    limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
    server {{
        listen 127.0.0.1:{port} ssl;
        listen 127.0.0.1:{plain_port};
        root {os.getcwd()}/www;
        location /limited/ {{ limit_req zone=one burst=2 nodelay; alias {os.getcwd()}/www/; }}
        location /proxied/ {{ proxy_pass https://127.0.0.1:{port}/; }}
    }}
}}
""")


def pid(path):
    with open(path) as f:
        return int(f.read())


os.mkdir("www")
for size in (0, 100, 5000, 1000000):
    with open(f"www/{size}", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(size)))
# Only a daemon takes a new binary, and it executes what it was called by; the run's own process waits for the end.
argv = ["sh", "-c", '"$@" && exec sleep 1000', "sh", shutil.which("nginx"), "-c", os.path.abspath("nginx.conf"),
        "-e", os.path.abspath("error.log")]
with Server(argv, port) as server:
    for path in ("/0", "/100", "/5000", "/1000000", "/missing", "/proxied/5000"):
        status, body = fetch(port, path, tls=tls)
        print(path, status, len(body), hashlib.md5(body).hexdigest())
    print("limited", [fetch(plain_port, "/limited/100")[0] for _ in range(5)], fetch(port, "/limited/100", tls=tls)[0])
    wrk(port, "/5000", scheme="https")
    old = pid("pid")
    os.kill(old, signal.SIGUSR2)
    wait_for("new binary", lambda: os.path.exists("pid.oldbin") and pid("pid") != old)
    new = pid("pid")
    wait_for("new workers", lambda: children(new) == 2)
    os.kill(old, signal.SIGWINCH)
    # The new master is a child of the old one, as its workers were.
    wait_for("the end of the old workers", lambda: children(old) == 1)
    print("new workers", fetch(port, "/100", tls=tls)[0], "a new zone", fetch(plain_port, "/limited/100")[0])
    wrk(port, "/100", scheme="https")
    os.kill(old, signal.SIGQUIT)
    wait_for("the end of the old master", lambda: not os.path.exists("pid.oldbin"))
    print("new master", fetch(port, "/5000", tls=tls)[0])
    os.kill(new, signal.SIGQUIT)
    wait_for("the end of the new master", lambda: not os.path.exists("pid"))
    server.stop()
