#!/bin/sh
# test: needs=python3 n1
# python3: files, directories, mmap, json, time, temporary files, threads, garbage collection.
exec /usr/bin/python3 -I - << 'END'
import gc, hashlib, json, mmap, os, pathlib, shutil, tempfile, threading, time, zlib
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
results = []
lock = threading.Lock()
def work(n):
    for i in range(200):
        with lock:
            results.append(n)
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(results), sorted(set(results)))
big = [bytearray(100000) for _ in range(100)]
del big
print(gc.collect() >= 0)
try:
    open('/nonexistent/file')
except OSError as e:
    print(e)
raise SystemExit(5)
END
