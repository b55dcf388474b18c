import { equals, fromBinary, toBinary, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeContent,
  decodeDownBatch,
  decodeEnvelope,
  decodeFrame,
  decodeSubmitBody,
  decodeUpBatch,
  encodeContent,
  encodeDownBatch,
  encodeEnvelope,
  encodeFrame,
  encodeSubmitBody,
  encodeUpBatch,
  limits,
  uuidToBytes,
  type Up,
} from '@waxwing/protocol';
import { ContentBodySchema } from '../../protocol/src/gen/waxwing/v1/frame_pb.ts';
import {
  DownBatchSchema,
  EnvelopeSchema,
  SubmitBodySchema,
  UpBatchSchema,
} from '../../protocol/src/gen/waxwing/v1/wire_pb.ts';
import { readDeliveries } from '../../protocol/src/deliver-bytes.ts';
import { readEnvelope } from '../../protocol/src/envelope-bytes.ts';
import { readFrame } from '../../protocol/src/frame-bytes.ts';
import { readSubmitBody } from '../../protocol/src/submit-body-bytes.ts';
import { readUpBatch } from '../../protocol/src/up-bytes.ts';
import { content, down, downs, envelope, frame, submitBody, ups } from './arbitraries.ts';
import { plain } from './plain.ts';

const hotUps = fc.array(fc.oneof(ups.submit, ups.direct_submit, ups.ack, ups.heartbeat), {
  minLength: 1,
  maxLength: 4,
});

/** Submits among them that no device may send, though they are well written. */
const anyUps = fc.array(
  fc.oneof(
    ups.submit,
    ups.submit.map((submit) => ({ ...submit, n: 7, oldest: 8 })),
    ups.submit.map((submit) => ({ ...submit, oldest: 0 })),
    ups.direct_submit,
    ups.ack,
    ups.heartbeat,
  ),
  { minLength: 1, maxLength: 4 },
);

/** Frames among them that no device may send, though they are well written. */
const anyFrame = fc.oneof(
  frame,
  frame.map((one) => ({ ...one, kind: 0 })),
  frame.map((one) => ({ ...one, list: { ...one.list, version: 0 } })),
  frame.map(({ place, ...one }) => ({ ...one, ...(place && { place: { ...place, n: 0 } }) })),
  frame.map(({ place, ...one }) => {
    const seen = place?.seen && { ...place.seen, to: place.seen.from + limits.seenMaxNumbers };
    return { ...one, ...(place && { place: { ...place, ...(seen && { seen }) } }) };
  }),
);

/** What is often not quite right: a byte changed, put in, taken out, or the end cut off. */
function spoilt(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    way: fc.constantFrom('change', 'put in', 'take out', 'cut', 'none'),
    // Most of what can go wrong is in the first bytes.
    at: fc.oneof(fc.nat(90), fc.nat(1_000)),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x08, 0x0a, 0x12, 0x1a, 0x22, 0x80, 0xff)),
  });
  return fc.tuple(bytes, change).map(([whole, { way, at, byte }]) => {
    const place = at % (whole.length + 1);
    const before = whole.subarray(0, place);
    switch (way) {
      case 'change':
        return Buffer.concat([before, Uint8Array.of(byte), whole.subarray(place + 1)]);
      case 'put in':
        return Buffer.concat([before, Uint8Array.of(byte), whole.subarray(place)]);
      case 'take out':
        return Buffer.concat([before, whole.subarray(place + 1)]);
      case 'cut':
        return Buffer.from(before);
      default:
        return Buffer.from(whole);
    }
  });
}

/** The batch as the generated code reads it, by way of JSON; undefined where it is refused. */
function generatedUps(bytes: Uint8Array): Up[] | undefined {
  try {
    const batch = fromBinary(UpBatchSchema, bytes);
    const known = toBinary(UpBatchSchema, batch, { writeUnknownFields: false });
    if (known.length !== toBinary(UpBatchSchema, batch).length) return undefined;
    return decodeUpBatch(Buffer.from(toJsonString(UpBatchSchema, batch)), 'json');
  } catch {
    return undefined;
  }
}

/**
 * Holds what was read by hand to what the generated code reads: that is left to do it where a field follows that no writer
 * puts there, the sender's device said once more. `deviceTag`: of that field.
 */
function expectAsGenerated<T extends { readonly sender: { readonly device: number } }>(
  bytes: Uint8Array,
  byHand: (bytes: Uint8Array) => T | undefined,
  decode: (bytes: Uint8Array) => T,
  deviceTag: number,
): void {
  const read = byHand(bytes);
  if (read === undefined) return;
  const unusual = Buffer.concat([bytes, Buffer.of(deviceTag, read.sender.device)]);
  expect(byHand(unusual)).toBeUndefined();
  expect(plain(read)).toEqual(plain(decode(unusual)));
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

describe('what is written by hand', () => {
  it('is what the generated code writes: envelopes', () => {
    fc.assert(
      fc.property(envelope, (value) => {
        const bytes = encodeEnvelope(value);
        expect(plain(bytes)).toBe(plain(toBinary(EnvelopeSchema, fromBinary(EnvelopeSchema, bytes))));
      }),
      { numRuns: 200 },
    );
  });

  it('is what the generated code writes: what the relay says', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(downs.deliver, downs.accepted, down), { maxLength: 5 }), (all) => {
        const bytes = encodeDownBatch(all);
        expect(plain(bytes)).toBe(plain(toBinary(DownBatchSchema, fromBinary(DownBatchSchema, bytes))));
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is read by hand', () => {
  it('is taken where a device wrote it: no batch of submits, acks and heartbeats needs the generated code', () => {
    fc.assert(
      fc.property(hotUps, (all) => {
        const fits = all.filter((up) => up.type !== 'submit' || up.oldest <= up.n);
        if (fits.length === 0) return;
        expect(plain(readUpBatch(encodeUpBatch(fits)))).toEqual(plain(fits));
      }),
    );
  });

  it('is what the generated code reads, or is left to it: batches', () => {
    fc.assert(
      fc.property(spoilt(anyUps.map((all) => encodeUpBatch(all))), (bytes) => {
        const read = readUpBatch(bytes);
        if (read !== undefined) expect(plain(read)).toEqual(plain(generatedUps(bytes)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what the generated code reads, or is left to it: bodies', () => {
    fc.assert(
      fc.property(spoilt(submitBody.map(encodeSubmitBody)), (bytes) => {
        const read = readSubmitBody(bytes);
        if (read === undefined) return;
        const batch = fromBinary(SubmitBodySchema, bytes);
        const again = encodeSubmitBody(read);
        expect(equals(SubmitBodySchema, fromBinary(SubmitBodySchema, again), batch)).toBe(true);
        expect(toBinary(SubmitBodySchema, batch)).toHaveLength(again.length);
        // A field said once more, at the end: only the generated code reads that, with its own checks.
        const unusual = Buffer.concat([again, Buffer.of(0x08, read.change ? 1 : 0)]);
        expect(plain(decodeSubmitBody(unusual))).toEqual(plain(read));
      }),
      { numRuns: 600 },
    );
  });

  it('is taken where a relay wrote it: no envelope and no batch of deliveries needs the generated code', () => {
    fc.assert(
      fc.property(envelope, fc.array(downs.deliver, { maxLength: 4 }), (value, deliveries) => {
        expect(plain(readEnvelope(encodeEnvelope(value)))).toEqual(plain(value));
        expect(plain(readDeliveries(encodeDownBatch(deliveries)))).toEqual(plain(deliveries));
      }),
    );
  });

  it('is taken where a device wrote it: no frame needs the generated code', () => {
    fc.assert(
      fc.property(frame, (value) => {
        expect(plain(readFrame(encodeFrame(value)))).toEqual(plain(value));
      }),
    );
  });

  it('is what the generated code reads, or is left to it: envelopes', () => {
    fc.assert(
      fc.property(spoilt(envelope.map(encodeEnvelope)), (bytes) => {
        expectAsGenerated(bytes, readEnvelope, decodeEnvelope, 0x18);
      }),
      { numRuns: 1_500 },
    );
  });

  it('is what the generated code reads, or is left to it: frames', () => {
    fc.assert(
      fc.property(spoilt(anyFrame.map(encodeFrame)), (bytes) => {
        expectAsGenerated(bytes, readFrame, decodeFrame, 0x20);
      }),
      { numRuns: 1_500 },
    );
  });

  it('is what the generated code reads, or is left to it: deliveries', () => {
    fc.assert(
      fc.property(
        spoilt(fc.array(downs.deliver, { minLength: 1, maxLength: 3 }).map((all) => encodeDownBatch(all))),
        (bytes) => {
          const read = readDeliveries(bytes);
          if (read === undefined) return;
          const batch = fromBinary(DownBatchSchema, bytes);
          expect(plain(read)).toEqual(
            plain(decodeDownBatch(Buffer.from(toJsonString(DownBatchSchema, batch)), 'json')),
          );
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is what the generated code reads: texts, but for a mark of byte order, which that drops', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 30 });
    const texts = fc.oneof(
      content,
      anyText.map((text) => ({ text })),
    );
    fc.assert(
      fc.property(spoilt(texts.map(encodeContent)), (bytes) => {
        const read = unlessRefused(() => decodeContent(bytes));
        if (read === undefined) return;
        const { text, replyTo } = fromBinary(ContentBodySchema, bytes);
        expect(read.text.replace(/^\ufeff/, '')).toBe(text);
        expect(plain(read.replyTo ? uuidToBytes(read.replyTo) : new Uint8Array(0))).toBe(plain(replyTo));
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps a mark of byte order at the beginning of a text', () => {
    expect(decodeContent(encodeContent({ text: '\ufeffhello' })).text).toBe('\ufeffhello');
  });

  it('is taken where a device wrote it: no body needs the generated code', () => {
    fc.assert(
      fc.property(submitBody, (body) => {
        expect(plain(readSubmitBody(encodeSubmitBody(body)))).toEqual(plain(body));
      }),
    );
  });
});
