import {
  audience,
  decodeDownBatch,
  encodeSubmitBody,
  encodeUpBatch,
  parseHandle,
  parseMessageId,
  signToken,
  tokenTimes,
  type Authenticate,
  type Down,
  type Form,
  type Handle,
  type MessageId,
  type Position,
  type Recipient,
  type RelayClaims,
  type Submit,
  type SubmitBody,
  type Up,
} from '@waxwing/protocol';
import type { TestDevice } from './relay-account.ts';

/** The origin that test devices say they dialled. */
export const testOrigin = 'http://relay.test';

/** One link to a relay as a device has it: what travels, and how it ended. */
export type Wire = {
  readonly form: Form;
  send(data: Uint8Array): void;
  end(): void;
};

export type Ended = { readonly code: number; readonly reason: string };

type OfType<T extends Down['type']> = Extract<Down, { type: T }>;

/** A device that speaks the wire and nothing else: no ratchet, no history, no reconnecting. */
export type RelayDevice = {
  /** Everything that came, in order. */
  readonly seen: readonly Down[];
  /** How many batches it came in. */
  batches(): number;
  /** The first message of this type that no earlier call has taken. Rejects if the link ends before it comes. */
  next<T extends Down['type']>(type: T): Promise<OfType<T>>;
  /** All messages of this type so far, taken or not. */
  all<T extends Down['type']>(type: T): OfType<T>[];
  /** One batch. */
  say(...messages: Up[]): void;
  /** One message of any bytes. */
  sendRaw(data: Uint8Array): void;
  /** Answers the challenge; `Ready` when it comes. */
  authenticate(as: TestDevice, o?: AuthenticateOptions): Promise<OfType<'ready'>>;
  /** Resolves when the relay or `end` has closed the link. */
  readonly ended: Promise<Ended>;
  isEnded(): boolean;
  end(): void;
};

export type AuthenticateOptions = {
  readonly generations?: readonly Uint8Array[];
  readonly committed?: Position;
  readonly claims?: Partial<RelayClaims>;
  readonly token?: string;
};

export type RelayDeviceInput = { received(data: Uint8Array): void; closed(ended: Ended): void };

/** A device over any link, and what that link calls. */
export function createRelayDevice(wire: Wire): { device: RelayDevice; input: RelayDeviceInput } {
  const seen: Down[] = [];
  const taken = new Set<Down>();
  let batches = 0;
  let isEnded = false;
  let waiting: (() => void)[] = [];
  let finish: (ended: Ended) => void = () => undefined;
  const ended = new Promise<Ended>((resolve) => (finish = resolve));

  const changed = (): void => {
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  };

  const next = async <T extends Down['type']>(type: T): Promise<OfType<T>> => {
    for (;;) {
      const found = seen.find((down): down is OfType<T> => down.type === type && !taken.has(down));
      if (found) {
        taken.add(found);
        return found;
      }
      if (isEnded) {
        const { code, reason } = await ended;
        throw new Error(`ended with ${code} ${reason} before ${type}`);
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const device: RelayDevice = {
    seen,
    batches: () => batches,
    next,
    all: (type) => seen.filter((down): down is OfType<typeof type> => down.type === type),
    say: (...messages) => wire.send(encodeUpBatch(messages, wire.form)),
    sendRaw: (data) => wire.send(data),
    async authenticate(as, o = {}) {
      const challenge = await next('challenge');
      device.say(authenticateMessage(as, challenge, o));
      return next('ready');
    },
    ended,
    isEnded: () => isEnded,
    end: () => wire.end(),
  };
  return {
    device,
    input: {
      received(data) {
        batches += 1;
        seen.push(...decodeDownBatch(data, wire.form));
        changed();
      },
      closed(how) {
        isEnded = true;
        finish(how);
        changed();
      },
    },
  };
}

export function authenticateMessage(
  as: TestDevice,
  challenge: { nonce: Uint8Array; serverTimeMs: number },
  o: AuthenticateOptions = {},
): Authenticate {
  const claims = {
    iss: `${as.account}.${as.device}`,
    aud: audience('relay', testOrigin),
    ...tokenTimes(challenge.serverTimeMs),
    nonce: Buffer.from(challenge.nonce).toString('base64url'),
    ...o.claims,
  };
  return {
    type: 'authenticate',
    account: as.account,
    device: as.device,
    token: o.token ?? signToken(claims, (message) => as.sign(message)),
    generations: o.generations ?? [generation(1)],
    ...(o.committed && { committed: o.committed }),
  };
}

/** The generation token number `id`. */
export function generation(id: number): Uint8Array {
  return Buffer.alloc(16, id);
}

export function testHandle(id: number): Handle {
  return parseHandle(Buffer.alloc(32, id).toString('base64url'));
}

export function testMessageId(id: number): MessageId {
  return parseMessageId(`01890000-0000-7000-8000-${id.toString(16).padStart(12, '0')}`);
}

/** What to send to these devices: one ciphertext each; the other devices of the sender must be among them. */
function recipients(to: readonly TestDevice[], sender: TestDevice, ciphertext: Uint8Array): Recipient[] {
  const accounts = new Set([sender.account, ...to.map((device) => device.account)]);
  return [...accounts].map((account) => ({
    account,
    listVersion: 1,
    devices: to
      .filter((device) => device.account === account)
      .map(({ device, registrationId }) => ({ device, registrationId, kind: 'session', ciphertext })),
  }));
}

/** A body for these devices that carries this text, or this many bytes. */
export function bodyFor(to: readonly TestDevice[], sender: TestDevice, content: string | number): SubmitBody {
  const ciphertext = typeof content === 'string' ? Buffer.from(content) : Buffer.alloc(content, 0x5a);
  return { change: false, visible: true, urgent: false, recipients: recipients(to, sender, ciphertext) };
}

/** A submit of the n-th message in a handle. The request number is n, unless given. */
export function submitMessage(
  body: SubmitBody | Uint8Array,
  o: { handle?: Handle; n: number } & Partial<Omit<Submit, 'type' | 'body'>>,
): Submit {
  return {
    type: 'submit',
    handle: testHandle(1),
    request: o.n,
    attempt: 1,
    oldest: o.n,
    ...o,
    body: body instanceof Uint8Array ? body : encodeSubmitBody(body),
  };
}
