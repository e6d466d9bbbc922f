# test: timeout=90 needs=redis-server,redis-cli,redis-benchmark heap
"""redis-server: commands by redis-cli, a background save (fork), an append-only file, load by redis-benchmark, restart with the data."""
import os
import subprocess
from common import Server, fail, free_port, wait_for

port = free_port()


def cli(*words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


# appendfsync everysec decides by what another thread has done until now, which differs between variants (docs/limits.md).
argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", os.getcwd(), "--save", "900", "1",
        "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"]
with Server(argv, port) as server:
    wait_for("ready", lambda: cli("ping") == "PONG")
    for words in ("set key value", "get key", "incr counter", "incrby counter 41", "rpush list a b c", "lrange list 0 -1",
                  "hset hash f 1 g 2", "hgetall hash", "zadd z 1 one 2 two", "zrange z 0 -1 withscores", "type hash",
                  "setex temp 100 x", "exists temp missing", "get missing", "lpop key", "append key more", "strlen key",
                  "config get maxmemory", "dbsize", "setrange big 200000 end", "strlen big"):
        print(words, "->", cli(*words.split()))
    print("eval ->", cli("eval", "local s = 0 for i = 1, 1000 do s = s + i end return s", "0"))
    print("bgsave ->", cli("bgsave"))
    wait_for("background save", lambda: "rdb_bgsave_in_progress:0" in cli("info", "persistence"))
    print("rdb_last_bgsave_status:ok" in cli("info", "persistence"), os.path.exists("dump.rdb"))
    bench = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set,get,lpush,mset", "-n", "2000", "-c", "8", "-r", "100",
                            "--csv"], stdout=subprocess.PIPE, text=True)
    if bench.returncode:
        fail(f"redis-benchmark: status {bench.returncode}")
    print("benchmarks", [line.split(",")[0] for line in bench.stdout.splitlines()])
    pipelined = subprocess.run(["redis-cli", "-p", str(port), "--pipe"], stdout=subprocess.PIPE, text=True,
                               input="".join(f"SET pipe{i} {i}\r\n" for i in range(3000)))
    print(pipelined.stdout.splitlines()[-1])
    server.stop()
with Server(argv, port) as server:
    wait_for("ready", lambda: cli("ping") == "PONG")
    print("after restart", cli("get", "key"), cli("get", "counter"), cli("strlen", "big"), cli("get", "pipe2999"))
    print("shutdown", cli("shutdown", "nosave"), server.process.wait(15))
