import { connect } from 'node:net';
import { join } from 'node:path';
import { encodeSubmitBody, parseHandle, sha256, subprotocol, systemRuntime } from '@waxwing/protocol';
import { openSqliteStorage } from '@waxwing/storage';
import { temporaryFolder } from '../../test/support/cli.ts';
import { endProcesses } from '../../test/support/processes.ts';
import { registerAccount, type TestDevice } from '../../test/support/relay-account.ts';
import { dialLoad } from './load-device.ts';
import { openLoop, Pair, waitFor } from './pair.ts';
import { serveRelay } from './relay-process.ts';
import { createFindings, quantile, type RowReport } from './report.ts';

const MAX_GROWTH_KIB = 256 * 1_024;
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
const AT_ONCE = 200;
const WINDOW = 48;
const PER_SECOND = 20;

/**
 * One device that submits to ever new handles, and then a crowd of sockets that never say who they are, from a few
 * addresses, while an honest pair writes: what is refused is refused with a code and a time to wait, the relay's memory
 * stays bounded, and the pair's messages all arrive.
 */
export async function floods(o: { readonly handles: number; readonly sockets: number }): Promise<RowReport> {
  const findings = createFindings();
  const { path, remove } = temporaryFolder('floods');
  const folder = join(path, 'relay');
  try {
    const storage = await openSqliteStorage({ directory: folder, runtime: systemRuntime });
    const device = async () => (await registerAccount({ storage, runtime: systemRuntime })).devices[0];
    const [flooder, from, to] = [await device(), await device(), await device()];
    await storage.close();
    const relay = await serveRelay(folder);
    const pair = new Pair(relay.url, from, to, handleOf('pair'));
    await pair.ready;
    const rssBefore = relay.rssKib();
    const busy = { isOn: true };
    const latencies: number[] = [];
    const honest = (async () => {
      while (busy.isOn) latencies.push(...(await openLoop([pair], { perSecond: PER_SECOND, seconds: 1 })));
    })();
    const handles = await floodHandles(relay.url, flooder, o.handles);
    const rssAfterHandles = relay.rssKib();
    const sockets = await floodSockets(relay.http, o.sockets);
    const rssAfterSockets = relay.rssKib();
    // Those that were let in and said nothing are ended; the pair's two stay.
    const areGone = await waitFor(async () => (await relay.metric('waxwing_relay_connections')) === 2, 15_000);
    busy.isOn = false;
    await honest;

    findings.insist(areGone, 'sockets that never said who they are stay open');
    findings.insist(handles.uncoded === 0, `${handles.uncoded} submits were refused without a time to wait`);
    findings.insist(
      handles.accepted + handles.rateLimited + handles.unanswered === o.handles,
      'submits went unanswered',
    );
    findings.insist(sockets.uncoded === 0, `${sockets.uncoded} sockets were refused without 429 and Retry-After`);
    findings.insist(sockets.refused > 0 || o.sockets <= ADDRESSES.length * 20, 'no socket was refused');
    findings.insist(pair.rejections.length === 0, `the pair met ${pair.rejections.join()}`);
    findings.insist(pair.sent > 0 && pair.delivered === pair.sent, 'a message of the pair did not arrive');
    findings.atMost('KiB of RSS growth', Math.max(rssAfterHandles, rssAfterSockets) - rssBefore, MAX_GROWTH_KIB);
    pair.end();
    const { broken, over } = findings;
    const figures = {
      ...o,
      handleFlood: handles,
      socketFlood: sockets,
      rssKib: [rssBefore, rssAfterHandles, rssAfterSockets],
      honestMessages: pair.delivered,
      honestP99Ms: quantile(latencies, 0.99),
    };
    return { row: 'floods', broken, over, figures };
  } finally {
    await endProcesses();
    remove();
  }
}

function handleOf(name: string) {
  return parseHandle(Buffer.from(sha256(name)).toString('base64url'));
}

/** One submit to each of so many handles, some in flight at once; a closed connection is dialled again. */
async function floodHandles(url: string, as: TestDevice, handles: number) {
  const counts = { accepted: 0, rateLimited: 0, uncoded: 0, unanswered: 0, closes: 0 };
  const recipients = [{ account: as.account, listVersion: 1, devices: [] }];
  const body = encodeSubmitBody({ change: false, visible: false, urgent: false, recipients });
  let next = 0;
  while (next < handles) {
    const open = new Set<number>();
    await new Promise<void>((resolve) => {
      const pump = (): void => {
        while (next < handles && open.size < WINDOW) {
          const request = ++next;
          open.add(request);
          const handle = handleOf(`flood ${request}`);
          device.say({ type: 'submit', handle, request, n: 1, attempt: 1, oldest: 1, body });
        }
        if (open.size === 0 && next >= handles) device.socket.terminate();
      };
      const device = dialLoad(url, as, {
        ready: pump,
        answered: (down) => {
          if (!open.delete(down.request)) return;
          if (down.type === 'accepted') counts.accepted += 1;
          else if (down.code === 'rate_limited') counts.rateLimited += 1;
          if (down.type === 'rejected' && (down.code !== 'rate_limited' || down.retryAfterMs <= 0)) counts.uncoded += 1;
          pump();
        },
      });
      device.socket.on('close', () => {
        counts.closes += 1;
        resolve();
      });
    });
    counts.unanswered += open.size;
  }
  return counts;
}

/** So many upgrades from a few addresses, none of which ever authenticates. */
async function floodSockets(http: string, sockets: number) {
  const counts = { letIn: 0, refused: 0, uncoded: 0 };
  const dial = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const localAddress = ADDRESSES[index % ADDRESSES.length] ?? '127.0.0.1';
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(http).port), localAddress });
      socket.on('error', () => resolve());
      socket.once('data', (data: Buffer) => {
        const answer = data.toString('latin1');
        if (answer.startsWith('HTTP/1.1 101')) counts.letIn += 1;
        else if (/^HTTP\/1\.1 429 [^]*retry-after: \d+[^]*"code":"rate_limited"/i.test(answer)) counts.refused += 1;
        else counts.uncoded += 1;
        resolve();
      });
      socket.write(
        [
          'GET /v1/relay HTTP/1.1',
          'Host: x',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
          `Sec-WebSocket-Protocol: ${subprotocol}`,
          '\r\n',
        ].join('\r\n'),
      );
    });
  for (let at = 0; at < sockets; at += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sockets - at) }, (_, index) => dial(at + index)));
  }
  return counts;
}
