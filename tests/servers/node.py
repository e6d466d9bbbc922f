# test: timeout=90 needs=node,wrk,ab corners
"""node: an http server with files, a thread pool that hashes and compresses, a worker thread, children; load, a graceful end by SIGTERM."""
import hashlib
import json
import zlib
from common import Server, ab, fetch, free_port, wrk

port = free_port()
with open("file.txt", "wb") as f:
    f.write(bytes(i * 7 % 251 for i in range(200000)))
with open("server.js", "w") as f:
    f.write("""
const http = require('http'), fs = require('fs'), zlib = require('zlib'), crypto = require('crypto');
const { execFile } = require('child_process'), { Worker } = require('worker_threads');
const worker = new Worker(`
	const { parentPort } = require('worker_threads');
	parentPort.on('message', ([id, n]) => {
		let sum = 0;
		for (let i = 0; i < n; i++)
			sum += i % 7;
		parentPort.postMessage([id, sum]);
	});`, { eval: true });
const asked = new Map(), seen = new Map();
let next = 0, total = 0;

worker.on('message', ([id, sum]) => {
	asked.get(id)(String(sum));
	asked.delete(id);
});
function end(response, text, status = 200) {
	response.writeHead(status, { 'Content-Type': 'text/plain' });
	response.end(text);
}
const paths = {
	'/': (request, response) => {
		const o = { n: total++, list: Array.from({ length: 40 }, (_, i) => ({ i, s: 'item ' + i })) };
		seen.set(total % 500, o);
		end(response, JSON.stringify(o.list));
	},
	'/echo': (request, response) => {
		const parts = [];
		request.on('data', d => parts.push(d));
		request.on('end', () => end(response, Buffer.concat(parts).toString().toUpperCase()));
	},
	'/file': (request, response) => fs.createReadStream('file.txt').pipe(response),
	'/size': (request, response) => fs.promises.stat('file.txt').then(s => end(response, String(s.size))),
	'/hash': (request, response) => crypto.pbkdf2('p', 's', 100, 16, 'sha1', (e, k) => end(response, k.toString('hex'))),
	'/zip': (request, response) => zlib.deflate(Buffer.alloc(20000, 'text'), (e, b) => end(response, b)),
	'/worker': (request, response) => {
		asked.set(next, text => end(response, text));
		worker.postMessage([next++, 20000]);
	},
	'/child': (request, response) => execFile('sh', ['-c', 'echo child; exit 3'], (e, out) => end(response, out + e.code)),
};
const server = http.createServer((request, response) =>
	(paths[request.url] || (() => end(response, 'no', 404)))(request, response));
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => {
	server.close(() => worker.terminate().then(code => {
		console.log('closed', code, asked.size);
		process.exit(5);
	}));
	server.closeAllConnections();
});
""")
with Server(["node", "server.js", str(port)], port) as server:
    for path, data in (("/", None), ("/echo", b"some text " * 5000), ("/file", None), ("/size", None), ("/hash", None),
                       ("/worker", None), ("/child", None), ("/missing", None)):
        status, body = fetch(port, path, data)
        print(path, status, len(body), hashlib.md5(body).hexdigest())
    print(zlib.decompress(fetch(port, "/zip")[1]) == b"text" * 5000)
    wrk(port, "/")
    for path in ("/file", "/hash", "/worker"):
        ab(port, path, 200)
    print([fetch(port, "/child") for i in range(3)], len(json.loads(fetch(port, "/")[1])))
    server.stop()
with open("server.out") as f:
    print(f.read(), end="")
