#!/usr/bin/python3
"""Real programs with libmvheap preloaded do what they do without: programs.py LIBRARY.  Exit status 77: none of them is here."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PYTHON = """
import json, pickle, re, threading, zlib, multiprocessing
d = [{'a': i, 'b': str(i) * 5, 'c': [i] * 10, 'd': {j: bytes(j) for j in range(20)}} for i in range(3000)]
p = pickle.dumps(d)
assert pickle.loads(p) == d
print(zlib.crc32(json.dumps(d, default=repr).encode()), len(re.findall('[0-9]+', repr(d))))
def work(n):
    return sum(len(str(i) * (i % 300)) for i in range(n))
threads = [threading.Thread(target=work, args=(20000,)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(3) as pool:
        print(pool.map(work, [1000, 2000, 3000]))
"""

PERL = r"""my %h; $h{$_ % 5000} .= "x$_" for 1..100000; my $s = join ',', map { "$_=$h{$_}" } sort keys %h;
print length $s, ' ', unpack('%32C*', $s), "\n"; my @a = map { [ (1) x $_ ] } 1..500; print scalar @{$a[-1]}, "\n";
$s =~ s/x(\d)/$1y/g; print length $s, "\n"; """

SQL = """create table t(a integer primary key, b text, c blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
insert into t select i, printf('%d-%s', i, hex(i * 7919)), zeroblob(i % 300) from n;
create index k on t(b); select count(*), sum(length(b)), max(b) from t; delete from t where a % 3 = 0;
select b, length(c) from t order by b desc limit 5; pragma integrity_check;"""

C = """#include <stdio.h>
#include <stdlib.h>
struct tree { struct tree *l, *r; };
static struct tree *grow(int n) { struct tree *t = calloc(1, sizeof(*t)); if (n) { t->l = grow(n - 1); t->r = grow(n - 1); } return t; }
static int count(struct tree *t) { int n = t ? 1 + count(t->l) + count(t->r) : 0; free(t); return n; }
int main(void) { printf("%d\\n", count(grow(16))); return 0; }
"""


def run(argv, env, stdin=None):
    r = subprocess.run(argv, env=env, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return f"status {r.returncode}\n{r.stdout}"


def python(env):
    with open("p.py", "w") as f:
        f.write(PYTHON)
    return run(["/usr/bin/python3", "-I", "p.py"], env) + run(["/usr/bin/python3", "-I", "p.py"], dict(env, PYTHONMALLOC="malloc"))


def perl(env):
    return run(["perl", "-e", PERL], env)


def sqlite3(env):
    return run(["sqlite3", ":memory:"], env, SQL)


def gcc(env):
    with open("c.c", "w") as f:
        f.write(C)
    return run(["gcc", "-O2", "-g", "-o", "c", "c.c"], env) + run(["./c"], env)


def git(env):
    env = dict(env, HOME=os.getcwd(), GIT_AUTHOR_DATE="1700000000 +0000", GIT_COMMITTER_DATE="1700000000 +0000", GIT_CONFIG_NOSYSTEM="1")
    out = run(["git", "init", "-q", "-b", "main", "."], env)
    for i in range(300):
        with open(f"f{i}", "w") as f:
            f.write(f"line {i}\n" * (i * 3))
    who = ["-c", "user.name=n", "-c", "user.email=e"]
    for args in (["add", "."], [*who, "commit", "-q", "-m", "all"], ["repack", "-adfq"], ["fsck", "--strict"], ["log", "--stat"], ["rev-parse", "HEAD"]):
        out += run(["git", *args], env)
    return out


def redis_server(env):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    server = subprocess.Popen(["redis-server", "--port", port, "--save", "", "--io-threads", "2"], env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if "PONG" in run(["redis-cli", "-p", port, "ping"], env):
                break
            time.sleep(0.05)
        script = "".join(f"set k{i} {'v' * (i % 700)}\nlpush l{i % 10} {i}\nhset h f{i} {i * 7}\n" for i in range(3000))
        script += "dbsize\nllen l3\nhlen h\ndel l3\nsave\nflushall async\ndbsize\n"
        return "\n".join(run(["redis-cli", "-p", port], env, script).splitlines()[-12:])
    finally:
        server.terminate()
        if server.wait(20) != 0:
            print(f"redis-server: status {server.returncode}")


def main():
    library = os.path.realpath(sys.argv[1])
    plain = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    heaps = {
        "as it is": dict(plain, LD_PRELOAD=library),
        "small slabs": dict(plain, LD_PRELOAD=library, MVHEAP_OPTIONS="seed=1,slab-max=32"),
        "no pads": dict(plain, LD_PRELOAD=library, MVHEAP_OPTIONS="seed=2,slab-pad=0,fill=off"),
    }
    failed, tried = False, 0
    if "libmvheap" not in run(["cat", "/proc/self/maps"], heaps["as it is"]):
        print("the library is not loaded")
        failed = True
    for program in (python, perl, sqlite3, gcc, git, redis_server):
        name = program.__name__.replace("_", "-")
        if not shutil.which(name.replace("python", "python3"), path=plain["PATH"]):
            print(f"{name}: not installed")
            continue
        tried += 1
        results = {}
        for how, env in {"glibc": plain, **heaps}.items():
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                results[how] = program(env)
                os.chdir("/")
            if results[how] != results["glibc"]:
                print(f"{name}, {how}:\n{results[how][:2000]}\nwith glibc's heap:\n{results['glibc'][:2000]}")
                failed = True
        if "status 0" not in results["glibc"] and name != "redis-server":
            print(f"{name} fails by itself:\n{results['glibc'][:2000]}")
            failed = True
    return 1 if failed else 0 if tried else 77


if __name__ == "__main__":
    sys.exit(main())
