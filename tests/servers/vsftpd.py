# test: timeout=60 needs=vsftpd,curl
"""vsftpd: anonymous logins, lists, download and upload by passive and active connections, several at once, errors, the end."""
import hashlib
import os
import pwd
import subprocess
import sys
from common import SKIP, SLOWER, Server, free_port

if os.getuid() != 0:
    print("not root: vsftpd changes its user")
    sys.exit(SKIP)
port = free_port()
here = os.getcwd()
os.makedirs("root/up", exist_ok=True)
user = pwd.getpwnam("ftp")
os.chown("root/up", user.pw_uid, user.pw_gid)
os.makedirs("/run/vsftpd/empty", exist_ok=True)
for size in (0, 100, 700000):
    with open(f"root/{size}", "wb") as f:
        f.write(bytes(i * 7 % 251 for i in range(size)))
with open("vsftpd.conf", "w") as f:
    f.write(f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
anon_root={here}/root
secure_chroot_dir=/run/vsftpd/empty
xferlog_enable=YES
vsftpd_log_file={here}/log
hide_ids=YES
connect_from_port_20=NO
""")


def curl(*words):
    done = subprocess.run(["curl", "-s", "-S", "--noproxy", "*", "--max-time", str(int(SLOWER * 20)), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


url = f"ftp://127.0.0.1:{port}"
with Server(["vsftpd", f"{here}/vsftpd.conf"], port) as server:
    print("names", curl("-l", url + "/"))
    print("list", [line.split()[0] + " " + line.split()[-1] for line in curl(url + "/")[1].decode().splitlines()])
    for size in (0, 100, 700000):
        status, body = curl(f"{url}/{size}")
        print("get", size, status, len(body), hashlib.md5(body).hexdigest())
    print("get by active connection", hashlib.md5(curl("-P", "127.0.0.1", f"{url}/700000")[1]).hexdigest())
    print("missing", curl(f"{url}/missing"))
    print("from the middle", curl("-C", "699990", f"{url}/700000"))
    print("put", curl("-T", "root/700000", f"{url}/up/file"), open("root/up/file", "rb").read() == open("root/700000", "rb").read())
    print("put where it may not", curl("-T", "root/100", f"{url}/file")[0])
    print("rename, remove", curl("-Q", "RNFR up/file", "-Q", "RNTO up/other", "-Q", "MKD up/new", "-Q", "RMD up/new", "-Q", "DELE up/other",
                                 "-l", url + "/up/"), os.listdir("root/up"))
    several = [subprocess.Popen(["curl", "-s", "--noproxy", "*", f"{url}/700000"], stdout=subprocess.PIPE) for _ in range(4)]
    for client in several:
        print(hashlib.md5(client.communicate(timeout=SLOWER * 30)[0]).hexdigest(), client.returncode)
    server.stop()
