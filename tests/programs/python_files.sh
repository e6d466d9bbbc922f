#!/bin/sh
# test: needs=python3 n1 heap
# python3: files, directories, mmap, json, time, temporary files, locks between processes, garbage collection.
# No threads: which of them gets the interpreter is decided by the clock, in every variant for itself, until issue 4.
exec /usr/bin/python3 -I - << 'END'
import fcntl, gc, hashlib, json, mmap, os, pathlib, shutil, tempfile, time, zlib
p = pathlib.Path('d')
p.mkdir()
for i in range(100):
    (p / f'{i:03}').write_text(f'file {i}\n' * i)
print(sum(f.stat().st_size for f in p.iterdir()))
print(sorted(os.listdir(p))[:3], len(os.listdir(p)))
with open('m', 'w+b') as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
        print(len(m), m[0])
print(json.dumps({'a': [1, 2.5, None], 'b': {'c': 'ü'}}, sort_keys=True))
with tempfile.NamedTemporaryFile(dir='.') as t:
    t.write(b'x' * 100000)
    t.flush()
    print(os.path.getsize(t.name))
t = time.monotonic()
time.sleep(0.05)
print(time.monotonic() - t >= 0.05, time.time() > 1e9)
print(hashlib.sha256(b'data' * 100000).hexdigest(), zlib.crc32(b'abc'))
shutil.copytree('d', 'e')
shutil.rmtree('d')
print(os.path.exists('d'), len(os.listdir('e')))
def work(n):
    with open('results', 'a') as f:
        for i in range(50):
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write(f'{n}\n')
            f.flush()
            fcntl.flock(f, fcntl.LOCK_UN)
children = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        work(n)
        os._exit(n)
    children.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
results = pathlib.Path('results').read_text().split()
print(len(results), [results.count(str(n)) for n in range(4)])
big = [bytearray(100000) for _ in range(100)]
del big
print(gc.collect() >= 0)
try:
    open('/nonexistent/file')
except OSError as e:
    print(e)
raise SystemExit(5)
END
