import {
  decodeEnvelope,
  encodeEnvelope,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  type Accepted,
  type Deliver,
  type Down,
  type Envelope,
  type ErrorCode,
  type Sequence,
} from '@waxwing/protocol';
import type { Lie, LieParts, Told } from './liar.ts';

const pass = (down: Down): Told[] => [{ down }];
const made = (down: Down): Told => ({ down, isMade: true });
const withEnvelope = (down: Deliver, envelope: Envelope): Deliver => ({ ...down, envelope: encodeEnvelope(envelope) });

/** A lie about deliveries. */
function delivering(tell: (device: string, down: Deliver, envelope: Envelope) => readonly Told[]): Lie {
  return {
    down: (device, message) =>
      message.type === 'deliver' ? tell(device, message, decodeEnvelope(message.envelope)) : pass(message),
  };
}

/** A lie that changes sequenced envelopes one by one. */
function changing(
  { dares }: LieParts,
  change: (envelope: Envelope & { type: 'sequenced' }, device: string) => Envelope,
): Lie {
  return delivering((device, down, envelope) =>
    envelope.type === 'sequenced' && dares() ? pass(withEnvelope(down, change(envelope, device))) : pass(down),
  );
}

/** A lie that keeps a sequenced delivery until the next one, and then tells of both at once. */
function pairing({ dares }: LieParts, tell: (first: Deliver, second: Deliver) => readonly [Deliver, Deliver]): Lie {
  const kept = new Map<string, Deliver>();
  return {
    down(device, message) {
      // A new connection is given what was kept anew.
      if (message.type === 'ready') kept.delete(device);
      if (message.type !== 'deliver' || decodeEnvelope(message.envelope).type !== 'sequenced') return pass(message);
      const first = kept.get(device);
      if (first) {
        kept.delete(device);
        const [a, b] = tell(first, message);
        return [{ down: a }, { down: b }];
      }
      if (!dares()) return pass(message);
      kept.set(device, message);
      return [];
    },
  };
}

/** A place for a sequence that tells the same lie of the same number again. */
function remembered<T>(make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

const at = (sequence: Sequence, change: Partial<Sequence>): Sequence => ({ ...sequence, ...change });

/** Ways in which a relay may lie to the devices, each over the life of a world. */
export const relayLies = {
  /** Deliveries are left out. */
  drop: ({ dares }) => delivering((_device, down) => (dares() ? [] : pass(down))),

  /** Deliveries are kept back until some that come later were given. */
  withhold({ dares, random }) {
    const kept = new Map<string, { down: Deliver; left: number }[]>();
    return delivering((device, down) => {
      const own = kept.get(device) ?? [];
      kept.set(device, own);
      if (dares()) {
        own.push({ down, left: random.between(1, 4) });
        return [];
      }
      for (const one of own) one.left -= 1;
      const due = own.filter(({ left }) => left === 0).map((one) => made(one.down));
      return [...pass(down), ...due];
    });
  },

  /** A delivery is given twice. */
  duplicate: ({ dares }) => delivering((_device, down) => (dares() ? [...pass(down), made(down)] : pass(down))),

  /** A delivery of earlier is given again, as it was or in the place of a later number. */
  replay({ dares, random }) {
    const all = new Map<string, Deliver[]>();
    return delivering((device, down, envelope) => {
      const old = all.get(device) ?? [];
      all.set(device, [...old, down]);
      if (old.length === 0 || !dares()) return pass(down);
      const again = random.pick(old);
      const before = decodeEnvelope(again.envelope);
      if (random.chance(0.5) || before.type !== 'sequenced' || envelope.type !== 'sequenced') {
        return [...pass(down), made(again)];
      }
      return pass(withEnvelope(down, { ...before, sequence: envelope.sequence }));
    });
  },

  /** Two deliveries come in the other order. */
  reorder: (parts) =>
    pairing(parts, (first, second) => [
      { ...second, position: first.position },
      { ...first, position: second.position },
    ]),

  /** Two ciphertexts change places. */
  swap: (parts) =>
    pairing(parts, (first, second) => {
      const [a, b] = [decodeEnvelope(first.envelope), decodeEnvelope(second.envelope)];
      const content = ({ ciphertext, ciphertextKind }: Envelope) => ({ ciphertext, ciphertextKind });
      return [withEnvelope(first, { ...a, ...content(b) }), withEnvelope(second, { ...b, ...content(a) })];
    }),

  /** A message is said to be from another account, or from another device of its account. */
  'relabel sender': (parts) =>
    changing(parts, (envelope) => {
      const { random, accounts } = parts;
      const others = [...accounts.values()].filter((account) => account !== envelope.sender.account);
      const sender = random.chance(0.5)
        ? { ...envelope.sender, account: parseAccountId(random.pick(others)) }
        : { ...envelope.sender, device: parseDeviceId(random.between(2, 9)) };
      return { ...envelope, sender };
    }),

  /** A message is said to be of another conversation: one that there is, or one that is made up. */
  'relabel handle'(parts) {
    const handles = new Set<string>();
    return changing(parts, (envelope) => {
      const others = [...handles].filter((handle) => handle !== envelope.handle);
      handles.add(envelope.handle);
      const invented = Buffer.from(parts.random.bytes(32)).toString('base64url');
      return { ...envelope, handle: parseHandle(parts.random.pick([...others, invented])) };
    });
  },

  /** A message is said to have another n. */
  'relabel n': (parts) =>
    changing(parts, (envelope) => ({ ...envelope, n: Math.max(1, envelope.n + parts.random.pick([-1, 1, 2])) })),

  /** What one conversation's devices were given is given to those of another, as it is or under their own handle. */
  'cross-post'({ dares, random }) {
    const all: { device: string; down: Deliver; envelope: Envelope & { type: 'sequenced' } }[] = [];
    return delivering((device, down, envelope) => {
      if (envelope.type !== 'sequenced') return pass(down);
      all.push({ device, down, envelope });
      const others = all.filter((one) => one.envelope.handle !== envelope.handle);
      if (others.length === 0 || !dares()) return pass(down);
      const other = random.pick(others);
      const posted = random.pick([
        other.envelope,
        { ...other.envelope, handle: envelope.handle },
        { ...other.envelope, handle: envelope.handle, sequence: envelope.sequence, n: envelope.n },
        { ...envelope, ciphertext: other.envelope.ciphertext, ciphertextKind: other.envelope.ciphertextKind },
      ]);
      // In place of the message, before it, or after it.
      const [place, fake] = [random.between(0, 2), withEnvelope(down, posted)];
      if (place === 0) return pass(fake);
      return place === 1 ? [made(fake), ...pass(down)] : [...pass(down), made(fake)];
    });
  },

  /** The id, or the place, of a message is taken by other bytes before it comes. */
  'squat ids'({ dares, random }) {
    const seen = new Map<string, Envelope[]>();
    return delivering((device, down, envelope) => {
      const old = seen.get(device) ?? [];
      seen.set(device, [...old, envelope]);
      if (!dares()) return pass(down);
      const { ciphertext, ciphertextKind } = random.pick([
        ...old,
        { ...envelope, ciphertext: random.bytes(envelope.ciphertext.length) },
      ]);
      return [made(withEnvelope(down, { ...envelope, ciphertext, ciphertextKind })), ...pass(down)];
    });
  },

  /** Heads are said to be further, or less far, than they are. */
  heads: ({ dares, random }) => ({
    down(_device, message) {
      if (message.type !== 'heads_reply' || !dares()) return pass(message);
      const heads = message.heads.map((head) => {
        if (!head.last || random.chance(0.2)) return { handle: head.handle };
        const number = Math.max(1, head.last.number + random.pick([-3, -1, 1, 40]));
        const era = parseEra(Math.max(1, head.last.era + random.pick([-1, 0, 0, 0, 1])));
        return { ...head, last: { era, number } };
      });
      return pass({ ...message, heads });
    },
  }),

  /** Mail that is there is said to be gone, and mail that is gone not to be. */
  marks: ({ dares, random }) => ({
    down(_device, message) {
      if (message.type === 'ready' && dares()) return pass({ ...message, marks: [] });
      if (message.type !== 'deliver' || !dares()) return pass(message);
      const { number } = message.position;
      const reason = random.pick(['expired', 'over_quota'] as const);
      const marks: Down = {
        type: 'marks',
        marks: [{ from: number, to: number + random.between(0, 2), count: 1, reason }],
      };
      return [{ down: marks }, ...(random.chance(0.5) ? pass(message) : [])];
    },
  }),

  /** Submits are said to name the wrong devices, whether they were stored or not. */
  mismatch({ dares, random }) {
    const bodies = new Map<string, readonly string[]>();
    return {
      up(device, up) {
        if (up.type !== 'submit' && up.type !== 'direct_submit') return { up: [up], down: [] };
        if (!dares()) return { up: [up], down: [] };
        const accounts = bodies.get(device) ?? [];
        const rejected: Down = {
          type: 'rejected',
          request: up.request,
          code: 'mismatch',
          retryAfterMs: 0,
          mismatches: accounts.map((account) => ({
            account: parseAccountId(account),
            listVersion: random.between(1, 4),
            missing: [parseDeviceId(random.between(2, 9))],
            extra: random.pick([[], [parseDeviceId(1)]]),
            stale: [],
          })),
        };
        return { up: random.chance(0.5) ? [up] : [], down: [rejected] };
      },
      down(device, message) {
        if (message.type === 'deliver') {
          const { sender } = decodeEnvelope(message.envelope);
          bodies.set(device, [sender.account]);
        }
        return pass(message);
      },
    };
  },

  /** Submits are refused with any code, whether they were stored or not. */
  refusals: ({ dares, random }) => ({
    up(_device, up) {
      if ((up.type !== 'submit' && up.type !== 'direct_submit') || !dares()) return { up: [up], down: [] };
      const code: ErrorCode = random.pick(['out_of_order', 'stale_n', 'conflict', 'rate_limited', 'unknown_recipient']);
      const rejected: Down = { type: 'rejected', request: up.request, code, retryAfterMs: 500, mismatches: [] };
      return { up: random.chance(0.5) ? [up] : [], down: [rejected] };
    },
  }),

  /** Messages are said to be of another era, and eras to have ended elsewhere. */
  eras({ dares, random }) {
    const era = remembered(() => (dares() ? random.pick([-1, 1, 2]) : 0));
    const changed = (device: string, sequence: Sequence): Sequence => {
      const by = era(`${random.chance(0.5) ? device : ''} ${sequence.era} ${Math.ceil(sequence.number / 3)}`);
      return at(sequence, { era: parseEra(Math.max(1, sequence.era + by)) });
    };
    return {
      down(device, message) {
        if (message.type === 'accepted' && message.sequence) {
          return pass({ ...message, sequence: changed(device, message.sequence) });
        }
        if (message.type !== 'deliver') return pass(message);
        const envelope = decodeEnvelope(message.envelope);
        if (envelope.type !== 'sequenced') return pass(message);
        const predecessor = dares()
          ? at(envelope.sequence, { era: parseEra(1), number: random.between(1, 9) })
          : undefined;
        const sequence = changed(device, envelope.sequence);
        const isBefore = predecessor && predecessor.era < sequence.era;
        return pass(withEnvelope(message, { ...envelope, sequence, ...(isBefore && { predecessor }) }));
      },
    };
  },

  /** Now and then a sequence is said to be of an era that is days ahead, or further than any clock goes. */
  'far era'({ dares, random }) {
    const far = (sequence: Sequence): Sequence => {
      if (!dares()) return sequence;
      const ahead = random.pick([3 * 86_400_000, 2 ** 45, Number.MAX_SAFE_INTEGER - 2 ** 42]);
      return at(sequence, { era: parseEra(sequence.era + ahead) });
    };
    return {
      down(_device, message) {
        switch (message.type) {
          case 'accepted':
            return pass(message.sequence ? { ...message, sequence: far(message.sequence) } : message);
          case 'heads_reply': {
            const heads = message.heads.map((head) => (head.last ? { ...head, last: far(head.last) } : head));
            return pass({ ...message, heads });
          }
          case 'deliver': {
            const envelope = decodeEnvelope(message.envelope);
            if (envelope.type !== 'sequenced') return pass(message);
            return pass(withEnvelope(message, { ...envelope, sequence: far(envelope.sequence) }));
          }
          default:
            return pass(message);
        }
      },
    };
  },

  /** Devices are told different numbers for the same messages, each its own consistently. */
  'split view'({ dares }) {
    const swapped = remembered(() => dares());
    const number = (device: string, handle: string, { number: real, era }: Sequence): number => {
      const pair = Math.ceil(real / 2);
      return swapped(`${device} ${handle} ${era} ${pair}`) ? 4 * pair - 1 - real : real;
    };
    const handles = new Map<string, string>();
    return {
      up(device, up) {
        if (up.type === 'submit') handles.set(`${device} ${up.request}`, up.handle);
        return { up: [up], down: [] };
      },
      down(device, message) {
        if (message.type === 'accepted' && message.sequence) {
          const handle = handles.get(`${device} ${message.request}`) ?? '';
          const { sequence } = message;
          return pass({ ...message, sequence: at(sequence, { number: number(device, handle, sequence) }) });
        }
        if (message.type !== 'deliver') return pass(message);
        const envelope = decodeEnvelope(message.envelope);
        if (envelope.type !== 'sequenced') return pass(message);
        const { sequence, handle } = envelope;
        const told = at(sequence, { number: number(device, handle, sequence) });
        return pass(withEnvelope(message, { ...envelope, sequence: told }));
      },
    };
  },

  /** Submits are accepted, under the number that would be next if they have one, and forgotten. */
  'accept and forget'({ dares }) {
    const last = new Map<string, Sequence>();
    const handles = new Map<string, string>();
    return {
      up(device, up) {
        if (up.type === 'direct_submit') {
          if (!dares()) return { up: [up], down: [] };
          const { request, attempt } = up;
          const accepted: Accepted = { type: 'accepted', request, duplicate: false, n: 0, attempt, serverTimeMs: 1 };
          return { up: [], down: [accepted] };
        }
        if (up.type !== 'submit') return { up: [up], down: [] };
        handles.set(`${device} ${up.request}`, up.handle);
        const head = last.get(up.handle);
        if (!head || !dares()) return { up: [up], down: [] };
        const sequence = at(head, { number: head.number + 1 });
        last.set(up.handle, sequence);
        const accepted: Accepted = {
          type: 'accepted',
          request: up.request,
          duplicate: false,
          n: up.n,
          attempt: up.attempt,
          sequence,
          serverTimeMs: 1,
        };
        return { up: [], down: [accepted] };
      },
      down(device, message) {
        if (message.type === 'deliver') {
          const envelope = decodeEnvelope(message.envelope);
          if (envelope.type === 'sequenced') last.set(envelope.handle, envelope.sequence);
        }
        if (message.type === 'accepted' && message.sequence) {
          last.set(handles.get(`${device} ${message.request}`) ?? '', message.sequence);
        }
        return pass(message);
      },
    };
  },
} satisfies Record<string, (parts: LieParts) => Lie>;
