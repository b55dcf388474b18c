import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isErrorCode, subprotocol, type Timers } from '@waxwing/protocol';
import type { SocketFacts } from './facts.ts';
import { PATIENCE_MS } from './patience.ts';

const ANSWER_MAX_BYTES = 64 * 1_024;
/** RFC 6455's own sample: the answer to it is not looked at. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const BINARY_FRAME = 0x82;

/** Opens the relay's WebSocket as far as its challenge, by hand: a library would not say what came in its place. */
export function lookAtSocket(url: string, timers: Timers): Promise<SocketFacts> {
  return new Promise((resolve) => {
    const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(new URL('/v1/relay', url), {
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': KEY,
        'sec-websocket-protocol': subprotocol,
      },
    });
    const cancel = timers.after(PATIENCE_MS, () => end({ type: 'silent' }));
    const end = (facts: SocketFacts): void => {
      cancel();
      request.destroy();
      resolve(facts);
    };
    request.on('error', (error) =>
      end({ type: 'failed', detail: 'code' in error ? String(error.code) : error.message }),
    );
    request.on('response', (response) => {
      readText(response).then(
        (text) => end(answered(response.statusCode ?? 0, text)),
        () => end(answered(response.statusCode ?? 0, '')),
      );
    });
    request.on('upgrade', (response, socket, head) => {
      const finish = (facts: SocketFacts): void => {
        socket.destroy();
        end(facts);
      };
      socket.on('error', () => finish({ type: 'silent' }));
      socket.on('close', () => finish({ type: 'silent' }));
      if (response.headers['sec-websocket-protocol'] !== subprotocol) finish({ type: 'unnamed' });
      const hear = (bytes: Buffer): void => {
        if (bytes.length > 0) finish(bytes[0] === BINARY_FRAME ? { type: 'challenge' } : { type: 'silent' });
      };
      hear(head);
      socket.on('data', hear);
    });
    request.end();
  });
}

function answered(status: number, text: string): SocketFacts {
  const code = /"code":"([a-z_]+)"/.exec(text)?.[1];
  return { type: 'answered', status, ...(code !== undefined && isErrorCode(code) && { code }) };
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > ANSWER_MAX_BYTES) break;
  }
  return text;
}
