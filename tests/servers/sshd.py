# test: timeout=90 needs=ssh,scp,ssh-keygen
"""sshd with logins by key: commands, their status and input, a terminal, files by scp, several at once, a wrong key, the end."""
import hashlib
import os
import pwd
import subprocess
import sys
from common import SKIP, SLOWER, Server, free_port

SSHD = "/usr/sbin/sshd"
if os.getuid() != 0 or not os.path.exists(SSHD):
    print("not root, or no " + SSHD)
    sys.exit(SKIP)
# Its monitor sends its options to its child as they lie in memory, pointers and all.
port = free_port()
here = os.getcwd()
user = pwd.getpwuid(0).pw_name
os.makedirs("/run/sshd", exist_ok=True)
for name in ("host", "user", "other"):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
os.rename("user.pub", "authorized")
# With SHLVL bash does not take the command for the first of a remote shell, whose start-up files may be long.
with open("sshd_config", "w") as f:
    f.write(f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {here}/host
AuthorizedKeysFile {here}/authorized
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
SetEnv SHLVL=1
""")
with open("host.pub") as f, open("known", "w") as known:
    known.write(f"[127.0.0.1]:{port} {f.read()}")
options = ["-F", "none", "-o", f"UserKnownHostsFile={here}/known", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
           "-o", "LogLevel=ERROR"]


def ssh(*command, key="user", flags=(), **more):
    argv = ["ssh", *options, "-i", key, "-p", str(port), *flags, f"{user}@127.0.0.1", *command]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SLOWER * 20, **more)
    return done.returncode, done.stdout, done.stderr


def scp(source, target):
    return subprocess.run(["scp", "-q", *options, "-i", "user", "-P", str(port), source, target], timeout=SLOWER * 20).returncode


def content(path):
    with open(path, "rb") as f:
        return hashlib.md5(f.read()).hexdigest()


with open("file", "wb") as f:
    f.write(bytes(i * 7 % 251 for i in range(700000)))
with Server([SSHD, "-D", "-e", "-f", f"{here}/sshd_config"], port) as server:
    print(ssh("echo hello; echo error >&2; exit 3"))
    print(ssh("cat", input=b"through both" * 10000)[1] == b"through both" * 10000)
    print(ssh("test -t 0 && stty size && echo terminal", flags=["-tt"]))
    print(ssh("kill -9 $$"))
    print("wrong key", ssh("echo in", key="other")[0])
    print("scp there", scp("file", f"{user}@127.0.0.1:{here}/there"), content("there") == content("file"))
    print("scp back", scp(f"{user}@127.0.0.1:{here}/there", "back"), content("back") == content("file"))
    argv = ["ssh", *options, "-i", "user", "-p", str(port), f"{user}@127.0.0.1"]
    several = [subprocess.Popen(argv + [f"seq {i} 2000 | tail -n 1; echo {i}"], stdout=subprocess.PIPE) for i in range(4)]
    for client in several:
        print(client.communicate(timeout=SLOWER * 20)[0], client.returncode)
    server.stop()
