import assert from 'node:assert/strict';
import { handleFromBytes, parseDeviceId, parseEra } from '@waxwing/protocol';
import fc from 'fast-check';
import { it } from 'vitest';
import type { RelayEvent } from '../../../storage/src/engine/events.ts';
import { createByteReader, createByteWriter } from '../../../storage/src/sqlite/byte-codec.ts';
import { decodeEvents, encodeRows, noEvents } from '../../../storage/src/sqlite/event-codec.ts';
import { accountNumber, messageNumber } from '../../contract/people.ts';

const count = fc.integer({ min: 1, max: 2 ** 31 });
const ms = fc.integer({ min: 0, max: 4e12 });
const account = fc.integer({ min: 0, max: 9 }).map(accountNumber);
const device = fc.record({ account, device: fc.integer({ min: 1, max: 127 }).map(parseDeviceId), addedIn: count });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const sequence = fc.record({ era: fc.integer({ min: 1, max: 2 ** 45 }).map(parseEra), number: count });
const envelopes = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 3 });
const deliveries = envelopes.chain((all) =>
  fc.array(fc.record({ device, envelope: fc.constantFrom(...all) }), { maxLength: 5 }),
);
const name = fc.base64String({ maxLength: 24 });

const event: fc.Arbitrary<RelayEvent> = fc.oneof(
  fc.record(
    {
      type: fc.constant('committed' as const),
      sender: device,
      handle: bytes(32).map(handleFromBytes),
      n: count,
      attempt: fc.nat(),
      digest: bytes(32),
      sequence,
      predecessor: sequence,
      change: fc.boolean(),
      serverTimeMs: ms,
      incarnation: name,
      accounts: fc.array(account, { maxLength: 4 }),
      deliveries,
    },
    {
      requiredKeys: [
        'type',
        'sender',
        'handle',
        'n',
        'attempt',
        'digest',
        'sequence',
        'change',
        'serverTimeMs',
        'incarnation',
        'accounts',
        'deliveries',
      ],
    },
  ),
  fc.record({
    type: fc.constant('direct' as const),
    sender: device,
    messageId: fc.nat(99).map(messageNumber),
    serverTimeMs: ms,
    deliveries,
  }),
  fc.record({ type: fc.constant('mailbox_begun' as const), device, incarnation: name, drawnUnder: name }),
  fc.record({ type: fc.constant('trimmed' as const), device, upTo: count }),
  fc.record({ type: fc.constant('expired' as const), device, nowMs: ms }),
  fc.record({ type: fc.constant('dropped' as const), device }),
);

/** Buffers read as the byte arrays that they are. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? [...part] : part)));
}

/** The events as one row. */
function encodeEvents(events: readonly RelayEvent[]): Uint8Array {
  return Buffer.concat([...encodeRows(createByteWriter(), events, Infinity)]);
}

it('rows of the log hold all events in order, each as few as make it long enough', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 9 }), fc.integer({ min: 1, max: 900 }), (events, rowBytes) => {
      const rows: Buffer[] = [];
      for (const row of encodeRows(createByteWriter(), events, rowBytes)) rows.push(Buffer.from(row));
      assert.equal(
        rows.slice(0, -1).every((row) => row.length >= rowBytes),
        true,
      );
      assert.deepEqual(plain(rows.flatMap((row) => decodeEvents(row))), plain(events));
      for (const row of rows) {
        const [before] = encodeRows(createByteWriter(), decodeEvents(row).slice(0, -1), Infinity);
        assert.ok((before?.length ?? 0) < rowBytes);
      }
    }),
  );
});

it('events are read as they were written, padding or not', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 6 }), fc.nat(9), (events, padding) => {
      const written = Buffer.concat([noEvents(padding), encodeEvents(events), noEvents(padding)]);
      assert.deepEqual(plain(decodeEvents(written)), plain(events));
    }),
  );
});

it('devices that share an envelope share its bytes after reading', () => {
  const envelope = new Uint8Array(500).fill(7);
  const to = [1, 2, 3].map((n) => ({
    device: { account: accountNumber(n), device: parseDeviceId(1), addedIn: 1 },
    envelope,
  }));
  const direct: RelayEvent = {
    type: 'direct',
    sender: to[0]!.device,
    messageId: messageNumber(1),
    serverTimeMs: 1,
    deliveries: to,
  };
  const written = encodeEvents([direct]);
  assert.ok(written.length < 2 * envelope.length);
  const [read] = decodeEvents(written);
  assert.ok(read?.type === 'direct');
  assert.equal(new Set(read.deliveries.map((delivery) => delivery.envelope)).size, 1);
});

it('bytes that end too early are refused', () => {
  fc.assert(
    fc.property(event, fc.nat(), (one, at) => {
      const written = encodeEvents([one]);
      assert.throws(() => decodeEvents(written.subarray(0, 1 + (at % (written.length - 1)))));
    }),
  );
  assert.throws(() => decodeEvents(Uint8Array.of(77)));
});

it('every whole number up to 2^53 - 1 is read as it was written, and no other is taken', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const writer = createByteWriter();
      writer.number(value);
      assert.equal(createByteReader(writer.finish()).number(), value);
    }),
  );
  for (const value of [-1, 0.5, NaN, 2 ** 53]) assert.throws(() => createByteWriter().number(value), RangeError);
});
