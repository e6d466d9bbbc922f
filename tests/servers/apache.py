# test: timeout=180 needs=apache2,ab turns=shared corners
"""apache2 with mpm_event: two processes of threads, files, a listing, a proxy to itself, CGI, load by ab, graceful reload, both ways to stop."""
import hashlib
import os
import re
import signal
import stat
import subprocess
from common import Server, ab, fetch, free_port, wait_for

port = free_port()
here = os.getcwd()
MODULES = "/usr/lib/apache2/modules"


def configure(version):
    modules = ["mpm_event", "authz_core", "mime", "dir", "autoindex", "alias", "headers", "deflate", "filter", "proxy", "proxy_http",
               "cgid", "status"]
    user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    with open("apache.conf", "w") as f:
        f.write("".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in modules) + f"""
ServerRoot {here}
ServerName localhost
PidFile {here}/pid
DefaultRuntimeDir {here}
Mutex pthread
Listen 127.0.0.1:{port}
{user}
ErrorLog {here}/error.log
LogFormat "%m %U %>s" plain
CustomLog {here}/access.log plain
StartServers 2
ServerLimit 2
ThreadsPerChild 5
MaxRequestWorkers 10
MinSpareThreads 1
MaxSpareThreads 10
TypesConfig /etc/mime.types
DocumentRoot {here}/www
ScriptSock {here}/cgisock
Header always set X-Version "{version}"
SetOutputFilter DEFLATE
Alias /version {here}/www/version
ScriptAlias /cgi/ {here}/cgi/
ProxyPass /proxied/ http://127.0.0.1:{port}/
<Directory {here}>
    Require all granted
    Options Indexes
</Directory>
<Location /forbidden>
    Require all denied
</Location>
""")
    with open("www/version", "w") as f:
        f.write(version + "\n")


def version():
    """What the configuration says, not the file."""
    out = subprocess.run(["curl", "-s", "-I", "--noproxy", "*", f"http://127.0.0.1:{port}/100"], stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"X-Version: (\w+)", out)
    return found and found[1]


os.mkdir("www")
os.mkdir("www/dir")
os.mkdir("cgi")
for size in (0, 100, 5000, 1000000):
    with open(f"www/{size}", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(size)))
with open("cgi/script", "w") as f:
    f.write("#!/bin/sh\necho Content-Type: text/plain\necho\necho $REQUEST_METHOD $QUERY_STRING\nwc -c\n")
os.chmod("cgi/script", stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
configure("one")
argv = ["apache2", "-D", "FOREGROUND", "-f", f"{here}/apache.conf"]
with Server(argv, port) as server:
    for path in ("/0", "/100", "/5000", "/1000000", "/missing", "/forbidden", "/proxied/5000", "/cgi/script?a=b"):
        status, body = fetch(port, path)
        print(path, status, len(body), hashlib.md5(body).hexdigest())
    print("listing", fetch(port, "/dir/")[0], "post", fetch(port, "/cgi/script", b"x" * 3000))
    ab(port, "/5000", 400)
    ab(port, "/100", 1000, "-k")
    print("version", version())
    configure("two")
    server.send(signal.SIGUSR1)
    wait_for("new configuration", lambda: version() == "two")
    ab(port, "/100", 400)
    server.stop()
with open("access.log") as f:
    print("logged", f.read().count("GET /missing 404"))
with Server(argv, port) as server:
    print(version(), fetch(port, "/5000")[0])
    server.stop(signal.SIGWINCH)
