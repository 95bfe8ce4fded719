// An HTTP server on port argv[2] for http_client.js and for what runs outside.
const http = require('http'), crypto = require('crypto');
let aborts = 0;
const server = http.createServer((req, res) => {
  if (req.url === '/hash') {
    const h = crypto.createHash('sha256');
    req.pipe(h).on('finish', () => res.end(h.digest('hex')));
  } else if (req.url === '/chunks') {
    let i = 0;
    const more = () => { while (i++ < 1000) if (!res.write('x'.repeat(1000))) return res.once('drain', more); res.end(); };
    more();
  } else if (req.url === '/slow') {
    req.on('close', () => aborts++);
  } else if (req.url === '/reset') {
    req.socket.resetAndDestroy();
  } else if (req.url === '/aborts') {
    res.end(String(aborts));
  } else {
    res.end('hello\n');
  }
});
server.on('upgrade', (req, socket) => { socket.write('HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n'); socket.pipe(socket); });
server.listen(Number(process.argv[2]));
