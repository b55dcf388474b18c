import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';

/** A server of one's own on a free loopback port, as its origin. */
export type OwnServer = { readonly url: string; readonly close: () => Promise<void> };

export async function serveHttp(answer: RequestListener): Promise<OwnServer> {
  return listening(createServer(answer));
}

/** What a proxy does with a WebSocket: passes it on, drops its subprotocol, or takes it for a request like others. */
type Upgrades = 'pass' | 'unnamed' | 'ignore';

/** A reverse proxy, set up rightly but for its WebSockets. `target` is read at each request. */
export async function serveProxy(target: () => string, upgrades: Upgrades): Promise<OwnServer> {
  const server = createServer((asked, answer) => {
    const { hostname, port } = new URL(target());
    const { method, url, headers } = asked;
    const onward = request({ hostname, port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.writeHead(502).end());
    asked.pipe(onward);
  });
  if (upgrades !== 'ignore') {
    server.on('upgrade', (asked: IncomingMessage, socket) => {
      const { hostname, port } = new URL(target());
      const onward = connect(Number(port), hostname, () => onward.write(headOf(asked, upgrades)));
      onward.pipe(socket).pipe(onward);
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
  }
  return listening(server);
}

function headOf({ method, url, rawHeaders }: IncomingMessage, upgrades: Upgrades): string {
  const lines = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && !(upgrades === 'unnamed' && name.toLowerCase() === 'sec-websocket-protocol')
      ? [`${name}: ${rawHeaders[index + 1]}`]
      : [],
  );
  return [`${method} ${url} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

async function listening(server: Server): Promise<OwnServer> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
