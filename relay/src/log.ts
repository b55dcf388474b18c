import { pino, type DestinationStream, type Level, type Logger } from 'pino';

/**
 * What no log line carries, whatever logs it: a value under one of these keys, at any depth, is replaced by its kind.
 * They name people, devices and conversations, prove who one is, or are what a person wrote.
 */
export const redactedKeys: ReadonlySet<string> = new Set([
  'account',
  'address',
  'authorization',
  'body',
  'ciphertext',
  'cookie',
  'device',
  'digest',
  'envelope',
  'forwarded',
  'generation',
  'generations',
  'handle',
  'handles',
  'headers',
  'hostname',
  'ip',
  'iss',
  'key',
  'messageId',
  'name',
  'nonce',
  'password',
  'recipients',
  'remoteAddress',
  'remotePort',
  'secret',
  'sender',
  'sharedCiphertext',
  'signature',
  'text',
  'ticket',
  'token',
  'username',
  'usernameHash',
]);

type LogOptions = {
  readonly level?: Level | 'silent';
  /** Takes whole lines. Absent: standard error. */
  readonly destination?: DestinationStream;
};

/**
 * The logger of a whole process: JSON lines. Each line is looked through when it is whole, so that it does not matter
 * who logs, or how: values under `redactedKeys` and bytes are replaced, and so is, in any text, whatever looks like an
 * id, a token, a key, a hash or a network address.
 */
export function createLogger({ level = 'info', destination = standardError() }: LogOptions = {}): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => destination.write(`${scrubLine(line)}\n`) },
  );
}

/** Lines go there for as long as somebody is: where a terminal was closed, a server goes on, or stops in order, without. */
function standardError(): DestinationStream {
  const stream = pino.destination(2);
  let isGone = false;
  stream.on('error', () => {
    isGone = true;
    stream.destroy();
  });
  return {
    write: (line) => {
      if (!isGone) stream.write(line);
    },
  };
}

function scrubLine(line: string): string {
  return JSON.stringify(JSON.parse(line, (key, value: unknown) => scrub(key, value)));
}

function scrub(key: string, value: unknown): unknown {
  if (redactedKeys.has(key)) return '[redacted]';
  if (typeof value === 'string') return scrubText(value);
  if (typeof value !== 'object' || value === null) return value;
  return areBytes(value) ? '[bytes]' : value;
}

/** What JSON makes of a Buffer, or of another view: its elements under their indexes. */
function areBytes(value: object): boolean {
  return ('type' in value && value.type === 'Buffer') || (!Array.isArray(value) && Object.hasOwn(value, '0'));
}

/** Runs of 22 letters and digits without a break are base64 or hex of 16 bytes or more; a UUID is one with hyphens. */
const opaque = /[A-Za-z0-9_+-]{32,}={0,2}|[A-Za-z0-9]{22,}/g;
const ipv4 = /\b\d{1,3}(?:\.\d{1,3}){3}\b/g;
const ipv6 =
  /\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){4,7}\b|(?:\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::[0-9a-f]{1,4}\b[0-9a-f:]*/gi;

function scrubText(text: string): string {
  return text.replace(opaque, '[opaque]').replace(ipv4, '[address]').replace(ipv6, '[address]');
}
