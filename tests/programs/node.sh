#!/bin/sh
# test: timeout=90 needs=node corners
# node: timers and promises, worker threads, child processes, files, http on loopback, the thread pool.
cat > main.js << 'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const cp = require('child_process'), fs = require('fs'), http = require('http'), crypto = require('crypto');

function worker() {
	let sum = 0;
	for (let i = 0; i < workerData * 1000; i++)
		sum += i;
	parentPort.postMessage(sum);
	parentPort.on('message', m => {
		parentPort.postMessage(m + 1);
		parentPort.close();
	});
}

function start(n) {
	return new Promise((resolve, reject) => {
		const w = new Worker(__filename, { workerData: n }), got = [];
		w.on('message', m => {
			got.push(m);
			if (got.length == 1)
				w.postMessage(n);
		});
		w.on('exit', code => resolve([code, ...got]));
		w.on('error', reject);
	});
}

async function main() {
	const immediate = new Promise(r => setImmediate(r)), timeout = new Promise(r => setTimeout(r, 50));
	process.nextTick(() => console.log('tick'));
	await null;
	console.log('promise');
	await immediate;
	console.log('immediate');
	await timeout;
	console.log('timeout');
	console.log(JSON.stringify(await Promise.all([1, 2].map(start))));
	console.log(await new Promise(r => cp.execFile('echo', ['child'], (e, out) => r([e, out]))));
	console.log(cp.spawnSync('sh', ['-c', 'cat; exit 3'], { input: 'in' }).status);
	const f = cp.fork(__dirname + '/fork.js');
	console.log(await new Promise(r => {
		f.on('message', r);
		f.send(20);
	}));
	f.disconnect();
	await fs.promises.writeFile('f', 'x'.repeat(100000));
	console.log((await fs.promises.readFile('f')).length, fs.statSync('f').size);
	const server = http.createServer((q, s) => s.end('hello ' + q.url));
	await new Promise(r => server.listen(0, '127.0.0.1', r));
	const get = path => new Promise(r => http.get({ port: server.address().port, host: '127.0.0.1', path, agent: false }, s => {
		let text = '';
		s.on('data', d => text += d);
		s.on('end', () => r(text));
	}));
	for (let i = 0; i < 3; i++)
		console.log(await get('/' + i));
	server.close();
	console.log(await new Promise(r => crypto.pbkdf2('p', 's', 1000, 16, 'sha1', (e, k) => r(k.toString('hex')))));
	process.on('SIGUSR2', () => {
		console.log('signal');
		process.exit(7);
	});
	process.kill(process.pid, 'SIGUSR2');
	setTimeout(() => console.log('no signal'), 5000);
}

if (isMainThread)
	main();
else
	worker();
END
echo "process.on('message', m => process.send(m * 2));" > fork.js
node main.js
echo "status $?"
