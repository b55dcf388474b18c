import { connect, type Socket } from 'node:net';
import { limits } from '@waxwing/protocol';
import { createMemoryStorage } from '@waxwing/storage';
import { systemRuntime } from '@waxwing/protocol';
import { startTestServer } from '../../test/support/in-process-server.ts';
import { createFindings, tenth, type RowReport } from './report.ts';

const HEAD = 'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
/** What Node's look every second, and a busy machine, may add. */
const LATE_MS = 5_000;

type Way = { readonly begins: string; readonly drips: string; readonly withinMs: number };

/** What a slow client does: how it begins, what it adds each second, and when it must have been ended. */
const ways: Readonly<Record<string, Way>> = {
  'nothing at all': { begins: '', drips: '', withinMs: limits.httpConnectionTimeoutMs },
  'headers byte by byte': { begins: HEAD, drips: 'x', withinMs: limits.httpHeadersTimeoutMs },
  'header after header': { begins: HEAD, drips: 'x: y\r\n', withinMs: limits.httpHeadersTimeoutMs },
  'a body byte by byte': {
    begins: `${HEAD}Content-Length: 60000\r\n\r\n{"deviceList":"`,
    drips: 'A',
    withinMs: limits.httpRequestTimeoutMs,
  },
  'a body in chunks': {
    begins: `${HEAD}Transfer-Encoding: chunked\r\n\r\n`,
    drips: '1\r\n \r\n',
    withinMs: limits.httpRequestTimeoutMs,
  },
  'a body that stops': {
    begins: `${HEAD}Content-Length: 60000\r\n\r\n{`,
    drips: '',
    withinMs: limits.httpRequestTimeoutMs,
  },
};

/** Clients that are slow on purpose: each is ended at its limit, and others are answered meanwhile. */
export async function slowHttp(o: { readonly socketsPerWay: number }): Promise<RowReport> {
  const findings = createFindings();
  const storage = createMemoryStorage({ runtime: systemRuntime });
  const server = await startTestServer(storage);
  const rssBefore = process.memoryUsage.rss();
  const began = performance.now();
  const ended = new Map<string, number[]>();
  const sockets: Socket[] = [];
  const timers: NodeJS.Timeout[] = [];
  const all = Object.entries(ways).flatMap(([name, way]) =>
    Array.from({ length: o.socketsPerWay }, () => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(way.begins);
      timers.push(setInterval(() => socket.writable && way.drips !== '' && socket.write(way.drips), 1_000));
      return new Promise<void>((resolve) =>
        socket.once('close', () => {
          ended.set(name, [...(ended.get(name) ?? []), performance.now() - began]);
          resolve();
        }),
      );
    }),
  );
  let honest = 0;
  const asking = setInterval(() => {
    void fetch(`${server.url}/.well-known/waxwing`).then(({ status }) => (honest += status === 200 ? 1 : 0));
  }, 500);
  const giveUp = new Promise<void>((resolve) => {
    timers.push(setTimeout(resolve, limits.httpConnectionTimeoutMs + 3 * LATE_MS));
  });
  await Promise.race([Promise.all(all), giveUp]);
  const rssKib = Math.round((process.memoryUsage.rss() - rssBefore) / 1_024);
  clearInterval(asking);
  for (const timer of timers) clearInterval(timer);
  for (const socket of sockets) socket.destroy();
  const lastMs: Record<string, number> = {};
  for (const [name, { withinMs }] of Object.entries(ways)) {
    const times = ended.get(name) ?? [];
    findings.insist(times.length === o.socketsPerWay, `${name}: ${times.length} of ${o.socketsPerWay} were ended`);
    lastMs[name] = tenth(Math.max(0, ...times));
    findings.atMost(`ms until ${name} was ended`, lastMs[name] ?? 0, withinMs + LATE_MS);
  }
  findings.insist(honest > 0, 'nobody else was answered');
  await server.close();
  await storage.close();
  const { broken, over } = findings;
  return { row: 'slow-http', broken, over, figures: { ...o, lastMs, honestAnswers: honest, rssKib } };
}
