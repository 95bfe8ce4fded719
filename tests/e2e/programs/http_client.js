// Asks http.js on port argv[2].
const http = require('http'), port = Number(process.argv[2]), host = '127.0.0.1';
const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
const get = (path, options = {}) => new Promise((ok, no) => http.get({ host, port, path, agent, ...options }, res => {
  let n = 0, text = '';
  res.on('data', d => { n += d.length; text += d; }).on('end', () => ok({ n, text }));
}).on('error', no));

(async () => {
  const all = await Promise.all(Array.from({ length: 50 }, () => get('/hello')));
  console.log('50 requests', all.filter(r => r.text === 'hello\n').length);
  console.log('chunks', (await get('/chunks')).n);
  await new Promise(ok => http.get({ host, port, headers: { Connection: 'Upgrade', Upgrade: 'echo' } }).on('upgrade', (res, socket) => {
    socket.write('echo');
    socket.on('data', d => { console.log('upgrade', String(d)); socket.end(); ok(); });
  }));
  await get('/reset').catch(e => console.log('aborted', e.code));
  await get('/', { port: port + 1 }).catch(e => console.log('refused', e.code));
  const req = http.get({ host, port, path: '/slow' }).on('error', () => {});
  setTimeout(() => req.destroy(), 200);
  for (let i = 0; i < 50 && (await get('/aborts')).text === '0'; i++) await new Promise(ok => setTimeout(ok, 50));
  console.log((await get('/aborts')).text === '1' ? 'server saw abort' : 'server saw nothing');
  process.exit(0);
})();
