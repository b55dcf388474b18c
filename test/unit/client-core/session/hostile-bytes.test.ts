import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { crypto, NOW, Party, acquainted, type Sent } from './party.ts';

// A contact may send anything: what cannot be read is a value, never an exception.

describe('bytes that a hostile contact chooses', () => {
  let alice: Party;
  let bob: Party;
  let carol: Party;
  let real: Sent[];

  beforeAll(async () => {
    [alice, bob] = await acquainted();
    carol = new Party('carol');
    await alice.start(carol);
    real = [await alice.send(bob, 'session'), await alice.send(carol, 'prekey')];
  });

  const edit = fc.record({ at: fc.nat(), remove: fc.nat(40), insert: fc.uint8Array({ maxLength: 40 }) });
  const changed = fc.record({
    base: fc.constantFrom(0, 1),
    edits: fc.array(edit, { minLength: 1, maxLength: 4 }),
    kind: fc.constantFrom<Sent['kind']>('session', 'prekey', 'sender_key'),
  });

  test('never make decryption throw, and read as nothing but what was sent', async () => {
    await fc.assert(
      fc.asyncProperty(changed, async ({ base, edits, kind }) => {
        let bytes: Uint8Array = real[base]!.ciphertext;
        for (const { at, remove, insert } of edits) {
          const from = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
        }
        for (const reader of [bob, carol]) {
          const result = await crypto.decrypt(reader.local, reader.view, alice.peer, kind, bytes);
          if (result.type === 'decrypted')
            expect(['session', 'prekey']).toContain(Buffer.from(result.plaintext).toString());
        }
      }),
      { numRuns: 200 },
    );
  });

  test('never make a bundle throw', async () => {
    const text = fc.oneof(
      fc.base64String(),
      fc.string(),
      fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from([5, ...b]).toString('base64url')),
    );
    const id = fc.oneof(fc.nat(), fc.double(), fc.integer());
    const key = fc.record({ id, publicKey: text, signature: text });
    const good = carol.bundle();
    const bundle = fc.record({
      device: fc.constantFrom(1, 2),
      registrationId: id,
      signedPrekey: fc.oneof(key, fc.constant(good.signedPrekey)),
      kyberKey: fc.oneof(key, fc.constant(good.kyberKey)),
      oneTimeKey: fc.oneof(key, fc.constant(good.oneTimeKey!)),
    });
    await fc.assert(
      fc.asyncProperty(bundle, async (offered) => {
        const started = await crypto.startSession(bob.local, bob.view, carol.peer, offered, NOW);
        expect(['started', 'refused']).toContain(started.type);
      }),
      { numRuns: 200 },
    );
  });
});
