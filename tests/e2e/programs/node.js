// Threads, children, files, timers, signals and unix sockets of Node, one line each.
const fs = require('fs'), cp = require('child_process'), net = require('net'), zlib = require('zlib');
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (!isMainThread) {
  parentPort.postMessage(42);
} else {
  const dir = fs.mkdtempSync('/tmp/node-');
  console.log('exec', cp.execSync('echo hi').toString().trim());
  fs.writeFileSync(dir + '/f', 'abc');
  console.log('file', fs.readFileSync(dir + '/f').toString(), fs.statSync(dir + '/f').size);
  fs.watch(dir, () => {}).close();
  new Worker(__filename).on('message', m => console.log('worker', m));
  const cat = cp.spawn('cat');
  cat.stdout.on('data', d => console.log('cat', d.toString()));
  cat.on('close', code => console.log('cat ended', code));
  cat.stdin.end('piped');
  zlib.gzip('x'.repeat(100000), (e, b) => zlib.gunzip(b, (e, r) => console.log('gunzip', r.length)));
  process.on('SIGUSR2', () => console.log('signal'));
  setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 20);
  setTimeout(() => console.log('timer'), 300);
  const server = net.createServer(s => s.pipe(s)).listen(dir + '/s', () => {
    const c = net.connect(dir + '/s', () => c.write('echoed'));
    c.on('data', d => { console.log('socket', d.toString()); c.end(); });
    c.on('close', () => server.close());
  });
}
