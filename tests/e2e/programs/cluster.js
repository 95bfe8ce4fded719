const fs = require('fs'), cp = require('child_process'), cluster = require('cluster'), net = require('net'), v8 = require('v8'), http = require('http');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const dir = '/tmp/n2';
async function main() {
  fs.mkdirSync(dir);
  // Shared memory and Atomics.wait in both directions.
  const shared = new Int32Array(new SharedArrayBuffer(16));
  const workers = [];
  for (let i = 0; i < 4; i++) workers.push(new Worker(__filename, { workerData: shared }));
  await new Promise(r => setTimeout(r, 100));
  Atomics.store(shared, 0, 1); Atomics.notify(shared, 0);
  await Promise.all(workers.map(w => new Promise(r => w.on('exit', r))));
  console.log('atomics', shared[1]);
  // fork IPC
  const kid = cp.fork(__filename, ['ipc']);
  console.log('ipc', await new Promise(r => { kid.on('message', r); kid.send({ n: 20 }); }));
  kid.disconnect();
  console.log('ipc exit', await new Promise(r => kid.on('exit', r)));
  // inotify
  const seen = new Set();
  const w = fs.watch(dir, (ev, name) => seen.add(ev + ' ' + name));
  fs.writeFileSync(dir + '/a', '1'); fs.appendFileSync(dir + '/a', '2'); fs.renameSync(dir + '/a', dir + '/b'); fs.unlinkSync(dir + '/b');
  await new Promise(r => setTimeout(r, 100)); w.close();
  console.log('watch', [...seen].sort().join(', '));
  // cluster over a unix socket
  for (let i = 0; i < 3; i++) cluster.fork();
  await new Promise(r => { let n = 0; cluster.on('listening', () => ++n == 3 && r()); });
  const get = () => new Promise((res, rej) => http.get({ socketPath: dir + '/s', path: '/' }, m => { let t = ''; m.on('data', d => t += d); m.on('end', () => res(t)); }).on('error', rej));
  const pids = new Set();
  for (let i = 0; i < 30; i++) pids.add(await get());
  console.log('cluster', pids.size >= 1, [...pids].every(p => Number(p) != process.pid));
  for (const id in cluster.workers) cluster.workers[id].kill('SIGKILL');
  let gone = 0; await new Promise(r => cluster.on('exit', (w, c, s) => { if (++gone == 3) r(); }));
  console.log('killed', gone);
  const file = v8.writeHeapSnapshot(dir + '/heap'); console.log('heap', fs.statSync(file).size > 1e6);
  // streams, many small async operations on the thread pool
  await Promise.all([...Array(200).keys()].map(i => fs.promises.writeFile(dir + '/f' + i, 'x'.repeat(i))));
  const sizes = await Promise.all([...Array(200).keys()].map(async i => (await fs.promises.stat(dir + '/f' + i)).size));
  console.log('pool', sizes.reduce((a, b) => a + b));
  const r = cp.spawnSync('sh', ['-c', 'cat; exit 7'], { input: 'in' }); console.log('sync', r.stdout.toString(), r.status);
  const slow = cp.spawnSync('sleep', ['10'], { timeout: 100 }); console.log('timeout', slow.signal, slow.error.code);
  console.log('dirs', fs.readdirSync('/usr/bin').length > 100, fs.realpathSync('/proc/self/exe') == process.execPath);
}
if (!isMainThread) { Atomics.wait(workerData, 0, 0); for (let i = 0; i < 1000; i++) Atomics.add(workerData, 1, 1); }
else if (process.argv[2] == 'ipc') process.on('message', m => process.send(m.n * 2));
else if (cluster.isWorker) http.createServer((q, a) => a.end(String(process.pid))).listen(dir + '/s');
else main();
