# test: timeout=240 needs=setpriv corners turns=shared
"""PostgreSQL: initdb, psql, pgbench, backends that are killed and crash, what is there after recovery and a restart."""
import os
import shutil
import signal
import subprocess
import sys
from common import PREFIX, SKIP, SLOWER, Server, fail, free_port, wait_for

BIN = "/usr/lib/postgresql/15/bin/"
if not os.access(BIN + "postgres", os.X_OK):
    print("no " + BIN + "postgres")
    sys.exit(SKIP)
port = free_port()
here = os.getcwd()
# Under ptrace a transaction takes a hundred stops and more.
ROUNDS = 0.1 if "ptrace" in PREFIX else 1
# It does not run as root.
user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []

# Caches of tables and the first record of the log are written as they lie in memory, with addresses (docs/limits.md).
if "-p" in PREFIX:
    at = PREFIX.index("-p") + 1
    with open("files.policy", "w") as f:
        f.write(f"base {PREFIX[at]}\nunchecked write@file writev@file pwrite64@file pwritev@file\n")
    PREFIX[at] = os.path.join(here, "files.policy")


def client(program, *args, **more):
    env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres", PGDATABASE="postgres", PGCONNECT_TIMEOUT="10")
    return subprocess.run([BIN + program, *args], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=SLOWER * 90, **more)


def ask(sql):
    done = client("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql)
    if done.returncode:
        fail(f"{sql}: {done.stderr}")
    return done.stdout.strip()


def show(sql):
    print(f"{sql} -> {ask(sql)}")


class Postgres(Server):
    def __init__(self, *options):
        super().__init__([*user, BIN + "postgres", "-D", here + "/data", "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                          "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "autovacuum_naptime=5", *options], port)

    def listening(self):
        return super().listening() and client("psql", "-X", "-c", "select 1").returncode == 0


def bench(what, transactions, *args):
    done = client("pgbench", "-n", "-c", "3", "-t", str(int(transactions * ROUNDS)), *args)
    failed = [line for line in done.stdout.splitlines() if "failed transactions" in line]
    print(what, done.returncode, *failed, "" if done.returncode == 0 else done.stderr)


def balanced():
    show("select (select sum(abalance) from pgbench_accounts) = (select sum(tbalance) from pgbench_tellers) and "
         "(select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)")


def crash(number):
    """A backend dies while it works; all others end, and the server recovers."""
    env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="postgres", PGDATABASE="postgres")
    session = subprocess.Popen([BIN + "psql", "-X", "-A", "-t", "-q"], env=env, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    session.stdin.write("select pg_backend_pid(); insert into kept values (100, 'committed');\n"
                        "begin; insert into kept values (200, 'never');\n\\echo ready\n")
    session.stdin.flush()
    pid = int(session.stdout.readline())
    session.stdout.readline()
    os.kill(pid, number)
    wait_for("the backend ends", lambda: not os.path.exists(f"/proc/{pid}"))
    session.stdin.close()
    print(f"{signal.Signals(number).name}: session ends with", session.wait(SLOWER * 30))
    wait_for("the server recovers", lambda: client("psql", "-X", "-c", "select 1").returncode == 0, 40)
    show("select count(*), min(what), max(what) from kept where id >= 100")


os.mkdir("data")
if user:
    shutil.chown("data", "postgres", "postgres")
done = subprocess.run(PREFIX + [*user, BIN + "initdb", "-D", here + "/data", "-A", "trust", "-U", "postgres", "-N", "--locale=C",
                                "-E", "UTF8"], stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(done.stdout.split("\nSuccess.")[0].replace(here, "."), done.returncode)

with Postgres() as server:
    show("show server_version_num")
    ask("create table kept (id int primary key, what text); insert into kept select i, repeat(i::text, i % 50) from generate_series(1, 99) i")
    ask("begin; delete from kept; rollback")
    show("select md5(string_agg(what, ',' order by id)) from kept")
    print(client("pgbench", "-i", "-q", "-s", "1").returncode)
    bench("select", 150, "-S")
    bench("tpcb", 40)
    balanced()
    # Workers of one query, who share memory that is made for it.
    show("set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; "
         "set min_parallel_table_scan_size = 0; select count(*), sum(aid) from pgbench_accounts where bid = 1")
    crash(signal.SIGKILL)
    crash(signal.SIGSEGV)
    bench("tpcb after the crashes", 20)
    balanced()
    server.stop(signal.SIGINT)
with Postgres() as server:
    balanced()
    show("select md5(string_agg(what, ',' order by id)) from kept where id < 100")
    server.stop(signal.SIGTERM)
