#!/usr/bin/python3
"""Run tests/run_matrix.py as an ordinary user: ordinary.py [arguments of run_matrix.py].

Root becomes the user nobody; where that cannot get at this tree (below /root, say) it is mounted once more, below /tmp, in a mount
namespace of the test's own.  Whoever is no root stays who he is.  Where such a user cannot run mvarmor on this machine at all it is
skipped, with what `mvarmor check` says.
"""
import os
import pwd
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
USER = "nobody"


def open_to_others(path):
    """May anybody search this directory and all above it?"""
    while os.stat(path).st_mode & 0o005 == 0o005:
        if path == "/":
            return True
        path = os.path.dirname(path)
    return False


def inside(path):
    """A path of the tree's, below its root; None if it is not in the tree."""
    relative = os.path.relpath(os.path.realpath(path), ROOT)
    return None if relative.startswith("..") else relative


def become(user, tree):
    entry = pwd.getpwnam(user)
    if tree != ROOT:
        subprocess.run(["mount", "--bind", ROOT, tree], check=True)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    os.environ["USER"] = os.environ["LOGNAME"] = user
    os.environ["HOME"] = "/"


def run(build, arguments, tree):
    mvarmor = os.path.join(build, "mvarmor")
    check = subprocess.run([mvarmor, "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check.returncode:
        print(f"SKIP an ordinary user cannot run mvarmor here:\n{check.stdout}", end="")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    matrix = os.path.join(tree, "tests", "run_matrix.py")
    return subprocess.run(["/usr/bin/python3", "-B", matrix, "--build", build, *arguments], cwd="/tmp", check=False).returncode


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--build"]:
        build, arguments = os.path.realpath(arguments[1]), arguments[2:]
    else:
        build = os.path.join(ROOT, "build")
    if os.getuid():
        return run(build, arguments, ROOT)
    if open_to_others(ROOT) and open_to_others(build):
        become(USER, ROOT)
        return run(build, arguments, ROOT)
    if inside(build) is None:
        print(f"SKIP {build} is neither open to others nor in {ROOT}\n0 passed, 0 failed, 1 skipped")
        return 77
    if "MV_TEST_MOUNTS" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="mvt.") as place:
            os.chmod(place, 0o755)
            return subprocess.run(["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", "-B", __file__, *sys.argv[1:]],
                                  env=dict(os.environ, MV_TEST_MOUNTS=place), check=False).returncode
    tree = os.environ.pop("MV_TEST_MOUNTS")
    become(USER, tree)
    return run(os.path.join(tree, inside(build)), arguments, tree)


if __name__ == "__main__":
    sys.exit(main())
