"""Debian's source package of nginx, and builds of it."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

OPTIONS = ["--without-http_rewrite_module", "--without-http_gzip_module", "--without-pcre"]     # no libraries needed


class Wrong(Exception):
    pass


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


@contextlib.contextmanager
def workshop():
    """A directory to build and run in, which is removed again.  A worker that is somebody else can enter it; www is what is served."""
    with tempfile.TemporaryDirectory() as here:
        os.chmod(here, 0o755)
        os.chdir(here)
        for name in ("prefix/logs", "www"):
            os.makedirs(name)
        try:
            yield
        finally:
            os.chdir("/")


def fetch_source():
    """Debian's package lists may lack sources: ask with lists of our own."""
    suite = "stable"
    with open("/etc/os-release") as f:
        for line in f:
            if line.startswith("VERSION_CODENAME="):
                suite = line.split("=")[1].strip()
    with open("sources", "w") as f:
        f.write(f"deb-src http://deb.debian.org/debian {suite} main\n")
    os.mkdir("lists")
    here = os.getcwd()
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={here}/sources", "-o", "Dir::Etc::sourceparts=-",
           "-o", f"Dir::State::lists={here}/lists", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=1"]
    for command in (["update"], ["source", "--download-only", "nginx"]):
        try:
            r = subprocess.run(apt + command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
        except (subprocess.TimeoutExpired, FileNotFoundError) as e:
            skip(f"no source of nginx: {e}")
        if r.returncode:
            skip(f"no source of nginx: {r.stdout.strip().splitlines()[-1:]}")
    archives = [name for name in os.listdir(".") if ".orig.tar" in name]
    if not archives:
        skip("no source of nginx: apt-get has fetched no archive")
    return os.path.abspath(archives[0])


def build(archive, name, compiler, flags, *options, patch=None):
    """In a directory of that name; the program's path.  Its prefix is prefix, here."""
    if not shutil.which(compiler):
        skip(f"no {compiler}")
    os.mkdir(name)
    subprocess.run(["tar", "-xf", archive, "-C", name, "--strip-components=1"], check=True)
    commands = [["patch", "-p1", "-i", patch]] if patch else []
    commands += [["./configure", f"--prefix={os.getcwd()}/prefix", f"--with-cc={compiler}", f"--with-cc-opt={flags}", *OPTIONS, *options],
                 ["make", "-j2"]]
    with open(f"{name}.log", "w") as log:
        for command in commands:
            if subprocess.run(command, cwd=name, stdout=log, stderr=subprocess.STDOUT).returncode:
                raise Wrong(f"{name}: {open(log.name).read()[-2000:]}")
    return os.path.abspath(f"{name}/objs/nginx")
