import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyLabels, signaturePurposes, signedBytes } from '@waxwing/protocol';
import { newIdentity, verifyIdentity } from './identity.ts';

const identity = newIdentity();
const purpose = fc.constantFrom(...signaturePurposes);

describe.each(signaturePurposes)('a signature for %s', (made) => {
  it('verifies under its own purpose and under no other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const signature = identity.sign(signedBytes(made, bytes));
        const under = signaturePurposes.filter((asked) =>
          verifyIdentity(identity.publicKey, signedBytes(asked, bytes), signature),
        );
        expect(under).toEqual([made]);
        expect(verifyIdentity(identity.publicKey, bytes, signature)).toBe(false);
      }),
      { numRuns: 10 },
    );
  });
});

describe('the bytes of a signature', () => {
  it('are never those of another purpose, whatever bytes are signed', () => {
    fc.assert(
      fc.property(purpose, purpose, fc.uint8Array(), fc.uint8Array(), (p, q, a, b) => {
        fc.pre(p !== q);
        expect(Buffer.compare(signedBytes(p, a), signedBytes(q, b))).not.toBe(0);
      }),
    );
    const prefixes = signaturePurposes.map((one) => Buffer.from(signedBytes(one, new Uint8Array())).toString());
    for (const prefix of prefixes) expect(prefixes.filter((other) => other.startsWith(prefix))).toEqual([prefix]);
  });

  it('begin with no label of a derived key, nor a label with them', () => {
    const labels: readonly string[] = Object.values(keyLabels);
    const prefixes = signaturePurposes.map((one) => `waxwing/v1/${one}\0`);
    for (const prefix of prefixes) {
      expect(labels.filter((label) => label.startsWith(prefix) || prefix.startsWith(`${label}\0`))).toEqual([]);
    }
    expect(new Set(labels).size).toBe(labels.length);
  });
});
