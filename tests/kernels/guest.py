"""A virtual machine that runs another kernel on this machine's own files.

The kernel is a Debian package, downloaded and unpacked, never installed.  The guest sees / and the directories it is given
read-only by 9p, at the paths they have here, with empty tmpfs where programs write.  Python standard library only.
"""
import glob
import lzma
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN, SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
SUITES = {
    "5.10": [(DEBIAN, "bullseye"), (SECURITY, "bullseye-security")],
    "6.1": [(DEBIAN, "bookworm"), (SECURITY, "bookworm-security")],
    "6.12": [(DEBIAN, "bookworm-backports")],
}
MODULES = ["virtio_pci", "9pnet_virtio", "9p"]


class Unavailable(Exception):
    """What is needed cannot be had here: a reason to skip, not a failure."""


# ---- kernels ----

def apt(folder, *command):
    """Run an apt tool on sources and lists of our own, so that the machine's are neither read nor changed."""
    options = {"Dir::Etc::sourcelist": f"{folder}/sources.list", "Dir::Etc::sourceparts": "-",
               "Dir::State::lists": f"{folder}/lists",
               "Dir::Cache": f"{folder}/cache", "Acquire::Languages": "none", "Acquire::Check-Valid-Until": "false",
               "Acquire::http::Timeout": "30", "Acquire::Retries": "2", "APT::Sandbox::User": "root"}
    argv = [command[0], "-q"] + [f"-o{key}={value}" for key, value in options.items()] + list(command[1:])
    try:
        result = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                timeout=400, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unavailable(f"{command[0]}: {e}") from e
    if result.returncode:
        raise Unavailable(f"{' '.join(command)}: {(result.stdout.strip().splitlines() or ['no reason given'])[-1]}")
    return result.stdout


def fetch(version, cache):
    """The directory that the kernel's package is unpacked in; downloads it when it is not there yet."""
    folder = os.path.join(cache, version)
    tree = os.path.join(folder, "tree")
    if os.path.isdir(tree):
        return tree
    os.makedirs(f"{folder}/lists/partial", exist_ok=True)
    os.makedirs(f"{folder}/cache/archives/partial", exist_ok=True)
    with open(f"{folder}/sources.list", "w", encoding="utf-8") as f:
        for mirror, suite in SUITES[version]:
            f.write(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    print(f"kernels: fetching Linux {version}", file=sys.stderr, flush=True)
    apt(folder, "apt-get", "update")
    depends = apt(folder, "apt-cache", "depends", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if not package:
        raise Unavailable(f"no linux-image-amd64 among the packages of {', '.join(s for _, s in SUITES[version])}")
    apt(folder, "apt-get", "download", package[1])
    shutil.rmtree(f"{tree}.new", ignore_errors=True)
    for name in glob.glob(f"{folder}/*.deb"):
        subprocess.run(["dpkg-deb", "-x", name, f"{tree}.new"], check=True)
        os.unlink(name)
    os.rename(f"{tree}.new", tree)
    return tree


# ---- initramfs ----

def archive(files):
    """A cpio archive (newc) of a dict: path -> (mode, bytes)."""
    parts = []
    for number, (path, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        parts += [header, bytes(-len(header) % 4), data, bytes(-len(data) % 4)]
    return b"".join(parts)


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def modules(tree):
    """The modules a guest needs to see our files, in the order to load them: a list of (name, bytes)."""
    found = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            if ".ko" in name:
                found[name.partition(".")[0].replace("-", "_")] = os.path.join(folder, name)
    order = {}

    def add(name):
        if name not in found or name in order:      # built in, or there already
            return
        data = read(found[name])
        for needed in re.search(rb"\0depends=([^\0]*)\0", data)[1].decode().split(","):
            add(needed.replace("-", "_"))
        order[name] = data

    for name in MODULES:
        add(name)
    return list(order.items())


def libraries(program):
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


def parents(path):
    """The directories a path of an archive is in, the innermost first."""
    parent = os.path.dirname(path)[1:]
    while parent:
        yield parent
        parent = os.path.dirname(parent)


def initramfs(tree, shares, command):
    busybox = shutil.which("busybox")
    if not busybox:
        raise Unavailable("busybox is not installed")
    files = {name: (0o40755, b"") for name in ("bin", "dev", "proc", "root", "m")}
    files["bin/busybox"] = (0o100755, read(busybox))
    for path in libraries(busybox):
        for parent in reversed(list(parents(path))):
            files.setdefault(parent, (0o40755, b""))
        files[path[1:]] = (0o100755, read(path))
    for name in ("sh", "mount", "insmod", "mkdir", "chmod", "ln", "cp", "ip", "stty", "switch_root", "poweroff"):
        files[f"bin/{name}"] = (0o120777, b"busybox")
    loaded = modules(tree)
    for name, data in loaded:
        files[f"m/{name}.ko"] = (0o100644, data)
    files["modules"] = (0o100644, "".join(f"/m/{name}.ko\n" for name, _ in loaded).encode())
    files["shares"] = (0o100644, "".join(f"share{i} {path}\n" for i, path in enumerate(shares) if i).encode())
    files["command"] = (0o100755, (shlex.join(command) + "\n").encode())
    files["init"] = (0o100755, read(os.path.join(HERE, "init")))
    files["job"] = (0o100755, read(os.path.join(HERE, "job")))
    return archive(files)


# ---- the machine ----

def places(*folders):
    """What a guest must be given beside /: the sources, and those of the folders that are not inside of what is given."""
    given = []
    for path in [ROOT, *map(os.path.realpath, folders)]:
        if not any(os.path.commonpath([path, other]) == other for other in given):
            given.append(path)
    return given


def boot(version, command, cache, out, cpu="max", accel="tcg", timeout=600.0, shares=(), memory="2G"):
    """Run a command (a list) as root in a guest.  Its output goes to the binary file `out` as it comes.
    Returns (exit status, None), or (None, what happened and the console's last lines)."""
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        raise Unavailable("qemu-system-x86_64 is not installed (package qemu-system-x86)")
    tree = fetch(version, cache)
    image = os.path.join(cache, version, f"initramfs.{os.getpid()}")
    console = os.path.join(cache, version, f"console.{os.getpid()}")
    shares = ["/", *shares]
    with open(image, "wb") as f:
        f.write(initramfs(tree, shares, command))
    # vsyscall: Debian turns it off.
    # no_timer_check: on a busy machine an emulated timer may be too late for the kernel to believe that it works.
    argv = [qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-accel", accel, "-cpu", cpu,
            "-smp", "2", "-m", memory, "-kernel", glob.glob(f"{tree}/boot/vmlinuz-*")[0], "-initrd", image,
            "-append", "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check vsyscall=xonly",
            "-serial", f"file:{console}", "-serial", "stdio"]
    for i, path in enumerate(shares):
        argv += ["-virtfs", f"local,path={path},mount_tag=share{i},security_model=none,readonly=on,multidevs=remap"]
    try:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            late = threading.Event()

            def stop():
                late.set()
                process.kill()

            timer = threading.Timer(timeout, stop)
            timer.start()
            try:
                while data := process.stdout.read1(65536):
                    out.write(data)
                    out.flush()
                complaint = process.stderr.read().decode(errors="replace").strip()
            finally:
                timer.cancel()
                process.kill()
        said = read(console).decode(errors="replace") if os.path.exists(console) else ""
        status = re.search(r"^guest: status (\d+)", said, re.M)
        if status and not late.is_set():
            return int(status[1]), None
        what = f"no end after {timeout:g} s" if late.is_set() else "the guest ended without a status"
        return None, "\n".join([what, *complaint.splitlines()[-5:], *said.splitlines()[-40:]])
    finally:
        for path in (image, console):
            if os.path.exists(path):
                os.unlink(path)
