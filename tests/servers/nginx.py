# test: timeout=60 needs=nginx,wrk heap turns=shared
"""nginx: master and two workers, files of several sizes, keep-alive, load, reload with a new configuration, both ways to stop."""
import hashlib
import os
import signal
from common import Server, fetch, free_port, wait_for, wrk

port = free_port()


def configure(version):
    user = "user www-data;" if os.getuid() == 0 else ""
    with open("nginx.conf", "w") as f:
        f.write(f"""
daemon off; worker_processes 2; pid {os.getcwd()}/pid; error_log {os.getcwd()}/error.log; {user}
events {{ worker_connections 64; }}
http {{
    access_log {os.getcwd()}/access.log;
    client_body_temp_path {os.getcwd()}/body; proxy_temp_path {os.getcwd()}/proxy;
    fastcgi_temp_path {os.getcwd()}/fastcgi; uwsgi_temp_path {os.getcwd()}/uwsgi; scgi_temp_path {os.getcwd()}/scgi;
    sendfile on; gzip on; gzip_types *;
    server {{
        listen 127.0.0.1:{port};
        root {os.getcwd()}/www;
        location /version {{ return 200 "{version}\\n"; }}
        location /forbidden {{ deny all; }}
        location /proxied/ {{ proxy_pass http://127.0.0.1:{port}/; }}
    }}
}}
""")


os.mkdir("www")
for size in (0, 100, 5000, 1000000):
    with open(f"www/{size}", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(size)))
configure("one")
argv = ["nginx", "-c", os.path.abspath("nginx.conf"), "-e", os.path.abspath("error.log")]
with Server(argv, port) as server:
    for path in ("/0", "/100", "/5000", "/1000000", "/missing", "/forbidden", "/proxied/5000", "/version"):
        status, body = fetch(port, path)
        print(path, status, len(body), hashlib.md5(body).hexdigest())
    wrk(port, "/5000")
    configure("two")
    server.send(signal.SIGHUP)
    wait_for("new configuration", lambda: fetch(port, "/version")[1] == b"two\n")
    wrk(port, "/100", errors_count=False)
    print(fetch(port, "/version"))
    server.stop()
with open("access.log") as f:
    print("logged", f.read().count("/missing"))
with Server(argv, port) as server:
    print(fetch(port, "/version"))
    server.stop(signal.SIGQUIT)
