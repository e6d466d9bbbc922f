# test: timeout=60 needs=lighttpd,wrk
"""lighttpd: one process; files, a directory listing, load, logs reopened by SIGHUP, SIGTERM and graceful SIGINT."""
import hashlib
import os
import signal
import time
from common import Server, fetch, free_port, wait_for, wrk

port = free_port()
os.mkdir("www")
os.mkdir("www/dir")
for size in (0, 100, 5000, 300000):
    with open(f"www/{size}.txt", "wb") as f:
        f.write(bytes(i * 3 % 241 for i in range(size)))
with open("lighttpd.conf", "w") as f:
    f.write(f"""
server.modules = ("mod_access", "mod_accesslog", "mod_dirlisting")
server.document-root = "{os.getcwd()}/www"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{os.getcwd()}/error.log"
accesslog.filename = "{os.getcwd()}/access.log"
mimetype.assign = (".txt" => "text/plain")
dir-listing.activate = "disable"
""")
argv = ["lighttpd", "-D", "-f", os.path.abspath("lighttpd.conf")]
with Server(argv, port) as server:
    for path in ("/0.txt", "/100.txt", "/5000.txt", "/300000.txt", "/missing", "/dir/"):
        status, body = fetch(port, path)
        print(path, status, len(body), hashlib.md5(body).hexdigest())
    wrk(port, "/5000.txt")
    wait_for("log", lambda: os.path.getsize("access.log"))
    os.rename("access.log", "access.old")
    server.send(signal.SIGHUP)
    wait_for("log opened again", lambda: fetch(port, "/100.txt") and os.path.exists("access.log"))
    print(fetch(port, "/100.txt")[0])
    # lighttpd's exit status is that of its last epoll_wait: 1 if SIGTERM finds it at work, natively as well.
    time.sleep(1)
    server.stop()
with Server(argv, port) as server:
    print(fetch(port, "/100.txt")[0])
    server.stop(signal.SIGINT)
