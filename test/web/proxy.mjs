// proxy - a reverse proxy as people put in front of the server, with the faults that they have.

import { createServer, request as ask } from 'node:http';
import { connect } from 'node:net';

export class Proxy {
  /** port: of the server behind. prefix: the path below which it is served, cut off; every other
   * path is 404. upgrade: whether WebSockets are passed on. host: sent instead of the browser's. */
  constructor(port, { prefix = '', upgrade = true, host = null } = {}) {
    Object.assign(this, { behind: port, prefix, upgrade, host });
  }

  async start() {
    this.sockets = new Set();
    this.http = createServer((request, response) => this.pass(request, response));
    this.http.on('upgrade', (request, socket, head) => this.tunnel(request, socket, head));
    this.http.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    this.port = this.http.address().port;
    return this;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** The path at the server; null: not one of its. */
  path(url) {
    const { prefix } = this;
    const inside = url === prefix || ['/', '?'].some((next) => url.startsWith(prefix + next));
    if (!inside) return null;
    const rest = url.slice(prefix.length);
    return rest.startsWith('/') ? rest : `/${rest}`;
  }

  headers({ headers }) {
    return this.host ? { ...headers, host: this.host } : headers;
  }

  pass(request, response) {
    const path = this.path(request.url);
    if (path === null) return response.writeHead(404).end('not here');
    const headers = this.headers(request);
    delete headers.upgrade; // as a proxy does that knows only HTTP
    headers.connection = 'close';
    const to = ask({ host: '127.0.0.1', port: this.behind, path, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
    to.on('error', () => response.writeHead(502).end('<h1>Bad Gateway</h1>'));
    return request.pipe(to);
  }

  tunnel(request, socket, head) {
    const path = this.path(request.url);
    socket.on('error', () => socket.destroy());
    if (!this.upgrade || path === null) {
      const body = 'no WebSockets here';
      socket.end(`HTTP/1.1 400 Bad Request\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    const to = connect(this.behind, '127.0.0.1', () => {
      const lines = Object.entries(this.headers(request)).map(([name, value]) =>
        `${name}: ${value}\r\n`);
      to.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
      to.write(head);
      to.pipe(socket).pipe(to);
    });
    to.on('error', () => socket.destroy());
  }
}
