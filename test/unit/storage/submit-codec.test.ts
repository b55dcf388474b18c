import assert from 'node:assert/strict';
import { handleFromBytes, parseDeviceId, parseEra, parseMessageId, type Recipient } from '@waxwing/protocol';
import type { DirectSubmission, SequencedSubmit } from '@waxwing/storage';
import fc from 'fast-check';
import { it } from 'vitest';
import { createByteReader, createByteWriter } from '../../../storage/src/sqlite/byte-codec.ts';
import {
  readDirect,
  readSubmit,
  writeDirect,
  writeSubmit,
  type Packed,
} from '../../../storage/src/sqlite/submit-codec.ts';
import { accountNumber } from '../../contract/people.ts';

const count = fc.integer({ min: 1, max: 2 ** 31 });
const account = fc.integer({ min: 0, max: 9 }).map(accountNumber);
const device = fc.integer({ min: 1, max: 127 }).map(parseDeviceId);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ciphertext = fc.uint8Array({ minLength: 1, maxLength: 300 });

const named = fc.record(
  { device, registrationId: count, kind: fc.constantFrom('session', 'prekey', 'sender_key'), ciphertext },
  { requiredKeys: ['device', 'registrationId', 'kind'] },
);
const recipients = fc.array(fc.record({ account, listVersion: count, devices: fc.array(named, { maxLength: 3 }) }), {
  maxLength: 3,
});
const submit: fc.Arbitrary<SequencedSubmit> = fc.record(
  {
    sender: fc.record({ account, device, addedIn: count }),
    handle: bytes(32).map(handleFromBytes),
    n: count,
    attempt: fc.nat(),
    oldest: count,
    floor: fc.record({ era: fc.integer({ min: 1, max: 2 ** 45 }).map(parseEra), number: count }),
    changeBase: fc.maxSafeNat(),
    digest: bytes(32),
    change: fc.boolean(),
    visible: fc.boolean(),
    urgent: fc.boolean(),
    recipients,
    sharedCiphertext: ciphertext,
  },
  {
    requiredKeys: ['sender', 'handle', 'n', 'attempt', 'oldest', 'digest', 'change', 'visible', 'urgent', 'recipients'],
  },
);

/** Buffers read as the byte arrays that they are. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? [...part] : part)),
    (_, part: unknown) => (isJsonBuffer(part) ? part.data : part),
  );
}

function isJsonBuffer(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}

const direct: fc.Arbitrary<DirectSubmission> = fc.record({
  sender: fc.record({ account, device, addedIn: count }),
  messageId: fc.uuid({ version: 7 }).map(parseMessageId),
  attempt: fc.nat(),
  visible: fc.boolean(),
  urgent: fc.boolean(),
  recipients,
});

/** Who is heard of those that a submit names, by what the reader says. */
function heard(packed: Packed<{ readonly recipients: readonly Recipient[] }>): boolean[] {
  const { submit, isHeard } = packed;
  return submit.recipients.flatMap(({ account, devices }) => devices.map(({ device }) => isHeard(account, device)));
}

it('a submit reaches the thread as it was given', () => {
  fc.assert(
    fc.property(submit, (given) => {
      const writer = createByteWriter();
      writeSubmit(writer, given, () => true);
      const reader = createByteReader(writer.finish());
      const packed = readSubmit(reader);
      assert.deepEqual(plain(packed.submit), plain(given));
      assert.ok(reader.atEnd);
      assert.ok(heard(packed).every(Boolean));
    }),
  );
});

it('a direct submit reaches the thread as it was given, with who is listened for', () => {
  fc.assert(
    fc.property(direct, fc.nat(127), (given, bound) => {
      const writer = createByteWriter();
      writeDirect(writer, given, (_, device) => device <= bound);
      const reader = createByteReader(writer.finish());
      const packed = readDirect(reader);
      assert.deepEqual(plain(packed.submit), plain(given));
      assert.ok(reader.atEnd);
      const devices = given.recipients.flatMap((recipient) => recipient.devices);
      assert.deepEqual(
        heard(packed),
        devices.map(({ device }) => device <= bound),
      );
    }),
  );
});
