#!/bin/sh
# test: timeout=60 needs=python3
# python3: asyncio, http.server and urllib, unix sockets with descriptors, selectors.
# No threads: which of them gets the interpreter is decided by the clock, in every variant for itself, until issue 4.
exec /usr/bin/python3 -I - << 'END'
import asyncio, http.server, os, selectors, socket, urllib.request
async def handle(reader, writer):
    data = await reader.readline()
    writer.write(data.upper())
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(handle, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    async def ask(i):
        r, w = await asyncio.open_connection('127.0.0.1', port)
        w.write(f'request {i}\n'.encode())
        answer = await r.readline()
        w.close()
        return answer
    print(await asyncio.gather(*(ask(i) for i in range(10))))
    await asyncio.sleep(0.05)
    proc = await asyncio.create_subprocess_exec('echo', 'sub', stdout=asyncio.subprocess.PIPE)
    print(await proc.communicate())
asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # the usual one is a thread for each child
asyncio.run(main())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.path.encode() * 1000
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
pid = os.fork()
if pid == 0:
    for i in range(5):
        server.handle_request()
    os._exit(3)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for i in range(5):
    with opener.open(f'http://127.0.0.1:{server.server_port}/path{i}') as r:
        print(r.status, len(r.read()))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
server.server_close()
a, b = socket.socketpair()
r, w = os.pipe()
socket.send_fds(a, [b'fds'], [w])
msg, fds, flags, addr = socket.recv_fds(b, 10, 4)
os.write(fds[0], b'through a passed descriptor')
print(msg, os.read(r, 100))
sel = selectors.DefaultSelector()
sel.register(a, selectors.EVENT_READ, 'a')
sel.register(b, selectors.EVENT_READ, 'b')
a.send(b'x')
print([k.data for k, e in sel.select(1)])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', 0))
u.settimeout(0.05)
try:
    u.recv(10)
except TimeoutError as e:
    print(e)
END
