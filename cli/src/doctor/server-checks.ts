import { protocolVersions } from '@waxwing/protocol';
import { isLoopback } from '../settings/loopback.ts';
import type { Check, Fault } from './check.ts';
import type { Facts, ServerFacts, Silence, SocketFacts } from './facts.ts';

/** Clocks that differ by less than this do no harm. */
const CLOCKS_MAY_DIFFER_MS = 10_000;

const silences: Readonly<Record<Silence, string>> = {
  refused: 'start it there (waxwing serve), or give the port that it listens on',
  unknown_host: 'look at the name in the URL; if it is right, at the DNS: getent hosts NAME',
  certificate: 'renew the certificate at the proxy, for this very name: openssl s_client -connect HOST:443',
  timeout: 'look at firewall and proxy: something takes the connection and does not answer',
  failed: 'look at the URL, and at what stands between: curl -v URL/.well-known/waxwing',
};

type Waxwing = Extract<ServerFacts['answer'], { type: 'waxwing' }>;

function waxwing({ server }: Facts): (Waxwing & { readonly url: string }) | undefined {
  return server?.answer.type === 'waxwing' ? { ...server.answer, url: server.url } : undefined;
}

/** What can be wrong with a server as clients see it. */
export const serverChecks: readonly Check[] = [
  {
    name: 'reach',
    why: 'nothing is sent and nothing arrives until it answers',
    find({ server }) {
      if (server?.answer.type !== 'none') return undefined;
      const { why, detail } = server.answer;
      return { wrong: `${server.url} does not answer (${detail})`, mend: silences[why] };
    },
  },
  {
    name: 'redirect',
    why: 'a client follows no redirect: its tokens are for the origin that it dials',
    find({ server }) {
      if (server?.answer.type !== 'moved') return undefined;
      const { to } = server.answer;
      return { wrong: `${server.url} redirects to ${to}`, mend: `dial ${to}: waxwing doctor --url ${to}` };
    },
  },
  {
    name: 'waxwing',
    why: 'a client finds neither accounts nor relay there',
    find({ server }) {
      if (server?.answer.type !== 'foreign') return undefined;
      return {
        wrong: `what answers at ${server.url} is no Waxwing server (${server.answer.status} for /.well-known/waxwing)`,
        mend: 'give the origin that the server has as --origin; behind a proxy, have it pass on every path, unaltered',
      };
    },
  },
  {
    name: 'plain-http',
    why: 'whoever is on the way sees who talks to whom, and may answer in place of the server',
    find({ server }) {
      if (server === undefined) return undefined;
      const { protocol, hostname } = new URL(server.url);
      if (protocol === 'https:' || isLoopback(hostname)) return undefined;
      return {
        wrong: `${server.url} is dialled without encryption`,
        mend: `put a proxy with a certificate before the server, and dial https://${hostname}`,
      };
    },
  },
  {
    name: 'version',
    why: 'they cannot talk to each other',
    find(facts) {
      const found = waxwing(facts);
      if (!found || protocolVersions.some((version) => found.versions.includes(version))) return undefined;
      return {
        wrong: `the server speaks protocol ${found.versions.join(', ')}, this program ${protocolVersions.join(', ')}`,
        mend: 'update the older of the two',
      };
    },
  },
  {
    name: 'origin',
    why: 'a token names the origin that was dialled: the server refuses each with token_audience',
    find(facts) {
      const found = waxwing(facts);
      if (!found || found.keys === found.url) return undefined;
      return {
        wrong: `${found.url} was dialled, and the server takes itself for ${found.keys}`,
        mend: `serve with --origin ${found.url}, and have the proxy pass on the Host header as it came`,
      };
    },
  },
  {
    name: 'clock',
    why: 'messages show wrong times, tickets and tokens are refused as expired',
    find(facts) {
      const aheadMs = waxwing(facts)?.aheadMs;
      if (aheadMs === undefined || Math.abs(aheadMs) <= CLOCKS_MAY_DIFFER_MS) return undefined;
      const seconds = Math.round(Math.abs(aheadMs) / 1_000);
      return {
        wrong: `the server's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`,
        mend: 'on both: timedatectl; where it says no, timedatectl set-ntp true',
      };
    },
  },
  {
    name: 'websocket',
    why: 'no message is taken or delivered without it',
    find({ server }) {
      if (!server?.socket) return undefined;
      const fault = socketFault(server.socket);
      return fault && { ...fault, wrong: `${server.url}/v1/relay ${fault.wrong}` };
    },
  },
  {
    name: 'subprotocol',
    why: 'server and client agree by it on what they speak, and end the connection without',
    find({ server }) {
      const { socket } = server ?? {};
      const isLost =
        socket?.type === 'unnamed' || (socket?.type === 'answered' && socket.code === 'unsupported_version');
      if (!isLost) return undefined;
      return {
        wrong: 'the WebSocket loses its subprotocol, waxwing.v1, on the way',
        mend: 'have the proxy pass on Sec-WebSocket-Protocol, both ways',
      };
    },
  },
  {
    name: 'admin-open',
    why: 'it tells anybody how much goes through the server, and when',
    find({ server, settings }) {
      const host = settings && !('wrong' in settings) ? settings.admin?.host : undefined;
      const at = server?.adminAt ?? (host === undefined || isLoopback(host) ? undefined : `http://${host}`);
      if (at === undefined) return undefined;
      return {
        wrong: `the admin port answers others than this machine, at ${at}`,
        mend: 'serve with --admin-host 127.0.0.1, or close the port to all but the network that watches it',
      };
    },
  },
  {
    name: 'ready',
    why: 'a server that is not ready takes no devices, and can write nothing',
    find({ admin }) {
      if (admin === undefined || admin.state === 'ready') return undefined;
      if (admin.state === 'not_ready') {
        return {
          wrong: `${admin.url}/readyz says that the server is not ready`,
          mend: 'it drains, or cannot write: look at its log, and at the disk: df -h',
        };
      }
      const what = admin.state === 'silent' ? 'does not answer' : 'is no admin port of Waxwing';
      return {
        wrong: `${admin.url} ${what}`,
        mend: "give the server's --admin-port as --admin http://127.0.0.1:PORT, or look whether it runs",
      };
    },
  },
];

function socketFault(socket: SocketFacts): Fault | undefined {
  switch (socket.type) {
    case 'challenge':
    case 'unnamed':
      return undefined;
    case 'silent':
      return {
        wrong: 'opens as a WebSocket and then says nothing',
        mend: 'have the proxy pass on what the server sends as it comes, without buffering',
      };
    case 'failed':
      return { wrong: `ends without an answer (${socket.detail})`, mend: 'look at the log of the proxy' };
    case 'answered':
      return answerFault(socket);
  }
}

function answerFault({ status, code }: Extract<SocketFacts, { type: 'answered' }>): Fault | undefined {
  switch (code) {
    case 'unsupported_version':
      return undefined;
    case 'unavailable':
      return {
        wrong: 'is refused: the server drains, or has as many connections as it may',
        mend: 'raise --max-connections',
      };
    case 'rate_limited':
      return {
        wrong: 'is refused: too many connections come from one address',
        mend: 'behind a proxy, serve with --trust-proxy and its network: else all clients are one address',
      };
    default:
      return {
        wrong: `answers ${status} and does not become a WebSocket`,
        mend: 'have the proxy pass on Upgrade and Connection, by HTTP/1.1 (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade")',
      };
  }
}
