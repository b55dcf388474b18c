/**
 * The baseline of the bench: a server on the same WebSocket library that forwards the bytes of each message, unread, to
 * the sockets that its sender named when it came, and does nothing else. `/7?8` is socket 7 and writes to socket 8;
 * `/7?100-599` writes to 500 of them; `/7` writes to nobody. SIGTERM ends it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';

const sockets = new Map<number, WebSocket>();
const http = createServer((_request, response) => response.writeHead(404).end());
const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
const binary = { binary: true };

function serve(socket: WebSocket, own: number, from: number, to: number): void {
  sockets.set(own, socket);
  socket.on('message', (data: RawData) => {
    for (let id = from; id <= to; id += 1) {
      const partner = sockets.get(id);
      if (partner && Buffer.isBuffer(data)) partner.send(data, binary);
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(own));
}

http.on('upgrade', (request, socket, head) => {
  const [path = '', partners = '0-0'] = (request.url ?? '').slice(1).split('?');
  const [from = 0, to = from] = partners.split('-').map(Number);
  server.handleUpgrade(request, socket, head, (ws) => serve(ws, Number(path), from, to));
});

http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`waxwing listens on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => process.exit(0));
