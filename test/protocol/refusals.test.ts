import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  decodeContent,
  decodeDownBatch,
  decodeEnvelope,
  decodeFrame,
  decodeHeads,
  decodeReceipt,
  decodeRepairAnswer,
  decodeRepairRequest,
  decodeSignedDeviceList,
  decodeSubmitBody,
  decodeUpBatch,
  encodeContent,
  encodeFrame,
  envelopeMaxBytes,
  errors,
  frameVersion,
  limits,
  parseAccountId,
  parseDeviceId,
  parseMessageId,
  readDeviceList,
  type ErrorCode,
} from '@waxwing/protocol';
import { DeviceListSchema, SignedDeviceListSchema } from '../../protocol/src/gen/waxwing/v1/device_list_pb.ts';
import {
  ContentBodySchema,
  FrameSchema,
  HeadsBodySchema,
  ReceiptBodySchema,
  RepairAnswerBodySchema,
  RepairRequestBodySchema,
  WatermarkKind,
} from '../../protocol/src/gen/waxwing/v1/frame_pb.ts';
import {
  CiphertextKind,
  DownBatchSchema,
  EnvelopeKind,
  EnvelopeSchema,
  MarkReason,
  RecipientDeviceSchema,
  RecipientSchema,
  SubmitBodySchema,
  UpBatchSchema,
  type DownSchema,
  type UpSchema,
} from '../../protocol/src/gen/waxwing/v1/wire_pb.ts';

// Bytes that any protobuf writer can make and the contract refuses, one wrong part at a time.

const b = (length: number, fill = 9) => new Uint8Array(length).fill(fill);
const account = Buffer.from('00112233445540778899aabbccddeeff', 'hex');
const messageId = Buffer.from('019388fe7a007123811223344556677a', 'hex');
const PAST_SAFE = 2n ** 53n;
const FAR_PAST_SAFE = 2n ** 64n - 1n;
const good = { incarnation: b(8), number: 3n };
const goodSequence = { era: 1_700_000_000_000n, number: 4n };

/** Each wrong part by name, what carries it, and the code if it is not `malformed`. */
type Refusals = Readonly<Record<string, readonly [bytes: Uint8Array, code?: ErrorCode]>>;

function bytesOf<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array {
  return toBinary(schema, create(schema, init));
}

/** Field 1000 with the number 1. */
const unknownField = Uint8Array.of(0xc0, 0x3e, 0x01);

/** The parts as field `no`, a message of less than 128 bytes. */
function nested(no: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const inner = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.of((no << 3) | 2, inner.length), inner]);
}

function expectRefusals(refusals: Refusals, decode: (bytes: Uint8Array) => unknown): void {
  it.each(Object.entries(refusals))('refuses %s', (_, [bytes, code = 'malformed']) => {
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ name: 'ProtocolError', code }));
  });
}

type UpInit = NonNullable<MessageInitShape<typeof UpSchema>['message']>;
const up = (message: UpInit) => bytesOf(UpBatchSchema, { messages: [{ message }] });

describe('an up batch', () => {
  const authenticate = { account, device: 1, token: 't', generations: [b(16)], committed: good };
  const authenticating = (wrong: object) => up({ case: 'authenticate', value: { ...authenticate, ...wrong } });
  const submit = { handle: b(32), n: 5, oldest: 5, attempt: 1, body: b(4), floor: goodSequence, changeBase: 1n };
  const submitting = (wrong: object) => up({ case: 'submit', value: { ...submit, ...wrong } });
  const asking = (wrong: object) => up({ case: 'entries', value: { handle: b(32), era: 1n, numbers: [1n], ...wrong } });

  it('takes the messages whose parts are spoilt below', () => {
    for (const message of [authenticating({}), submitting({}), asking({})]) {
      expect(decodeUpBatch(message)).toHaveLength(1);
    }
  });

  expectRefusals(
    {
      'a message of no known kind': [bytesOf(UpBatchSchema, { messages: [{}] })],
      'an account of 15 bytes': [authenticating({ account: b(15) })],
      'an account that is no UUID': [authenticating({ account: b(16, 0) })],
      'device 0': [authenticating({ device: 0 })],
      'device 128': [authenticating({ device: 128 })],
      'no generation': [authenticating({ generations: [] })],
      'a generation of 15 bytes': [authenticating({ generations: [b(16), b(15)] })],
      'too many generations': [authenticating({ generations: Array.from({ length: 65 }, () => b(16)) }), 'too_large'],
      'a token over its limit': [authenticating({ token: 'x'.repeat(limits.tokenMaxBytes + 1) }), 'too_large'],
      'an incarnation of 7 bytes': [authenticating({ committed: { ...good, incarnation: b(7) } })],
      'a position of 2^53': [authenticating({ committed: { ...good, number: PAST_SAFE } })],
      'a handle of 31 bytes': [submitting({ handle: b(31) })],
      'no handle': [submitting({ handle: b(0) })],
      'n = 0': [submitting({ n: 0, oldest: 0 })],
      'oldest = 0': [submitting({ oldest: 0 })],
      'oldest above n': [submitting({ oldest: 6 })],
      'a floor in era 0': [submitting({ floor: { era: 0n, number: 1n } })],
      'a floor at number 0': [submitting({ floor: { era: 1n, number: 0n } })],
      'a floor in era 2^53': [submitting({ floor: { era: PAST_SAFE, number: 1n } })],
      'a floor at number 2^64 - 1': [submitting({ floor: { era: 1n, number: FAR_PAST_SAFE } })],
      'a change base of 2^53': [submitting({ changeBase: PAST_SAFE })],
      'a direct submit without a message id': [up({ case: 'directSubmit', value: { body: b(2) } })],
      'a message id of 17 bytes': [up({ case: 'directSubmit', value: { messageId: b(17) } })],
      'an ack of nothing': [up({ case: 'ack', value: {} })],
      'an ack of 2^53': [up({ case: 'ack', value: { committed: { ...good, number: PAST_SAFE } } })],
      'heads of a short handle': [up({ case: 'heads', value: { handles: [b(32), b(3)] } })],
      'heads of too many handles': [
        up({ case: 'heads', value: { handles: Array.from({ length: limits.handlesPerHeads + 1 }, () => b(32)) } }),
        'too_large',
      ],
      'entries of era 0': [asking({ era: 0n })],
      'entry 0': [asking({ numbers: [1n, 0n] })],
      'entry 2^53': [asking({ numbers: [PAST_SAFE] })],
      'too many entries': [asking({ numbers: Array.from({ length: 257 }, () => 1n) }), 'too_large'],
      'a heartbeat with a long incarnation': [
        up({ case: 'heartbeat', value: { committed: { ...good, incarnation: b(9) } } }),
      ],
      'more bytes than a batch may have': [submitting({ body: b(limits.batchMaxBytes) }), 'too_large'],
    },
    (bytes) => decodeUpBatch(bytes),
  );

  it('may end at the greatest safe number', () => {
    const number = BigInt(Number.MAX_SAFE_INTEGER);
    expect(decodeUpBatch(submitting({ floor: { era: number, number } }))).toMatchObject([
      { floor: { era: Number.MAX_SAFE_INTEGER, number: Number.MAX_SAFE_INTEGER } },
    ]);
  });
});

type DownInit = NonNullable<MessageInitShape<typeof DownSchema>['message']>;
const down = (message: DownInit) => bytesOf(DownBatchSchema, { messages: [{ message }] });

describe('a down batch', () => {
  const told = { batchMaxBytes: 1, ciphertextMaxBytes: 1, windowPerHandle: 1, windowInAll: 1, heartbeatMs: 1 };
  const challenging = (wrong: object) =>
    down({ case: 'challenge', value: { nonce: b(32), versions: [1], limits: told, ...wrong } });
  const mark = { from: 1n, to: 9n, count: 2, reason: MarkReason.EXPIRED };
  const marking = (wrong: object) => down({ case: 'marks', value: { marks: [{ ...mark, ...wrong }] } });
  const rejecting = (wrong: object) => down({ case: 'rejected', value: { code: 'mismatch', ...wrong } });
  const differing = (wrong: object) => rejecting({ mismatches: [{ account, listVersion: 1, ...wrong }] });
  const entry = { number: 1n, senderAccount: account, senderDevice: 1, n: 1 };
  const entries = (wrong: object) => down({ case: 'entriesReply', value: { entries: [{ ...entry, ...wrong }] } });

  it('takes the messages whose parts are spoilt below', () => {
    for (const message of [challenging({}), marking({}), rejecting({}), differing({}), entries({})]) {
      expect(decodeDownBatch(message)).toHaveLength(1);
    }
  });

  it('leaves out a message of a kind that only a newer version knows', () => {
    expect(
      decodeDownBatch(bytesOf(DownBatchSchema, { messages: [{}, { message: { case: 'drained', value: {} } }] })),
    ).toEqual([{ type: 'drained' }]);
  });

  expectRefusals(
    {
      'a nonce of 31 bytes': [challenging({ nonce: b(31) })],
      'a challenge without limits': [challenging({ limits: undefined })],
      'a window of 0': [challenging({ limits: { ...told, windowPerHandle: 0 } })],
      'a heartbeat of 0 ms': [challenging({ limits: { ...told, heartbeatMs: 0 } })],
      'a server time of 2^53': [challenging({ serverTimeMs: PAST_SAFE })],
      'a mailbox without incarnation': [down({ case: 'ready', value: {} })],
      'a mark that ends before it begins': [marking({ from: 10n })],
      'a mark from 0': [marking({ from: 0n })],
      'a mark of none': [marking({ count: 0 })],
      'a mark up to 2^53': [marking({ to: PAST_SAFE })],
      'a mark without reason': [marking({ reason: MarkReason.UNSPECIFIED })],
      'a mark for an unknown reason': [marking({ reason: 77 })],
      'a delivery without position': [down({ case: 'deliver', value: { envelope: b(1) } })],
      'an envelope over its limit': [
        down({ case: 'deliver', value: { position: good, envelope: b(envelopeMaxBytes + 1) } }),
        'too_large',
      ],
      'an accepted number 0': [down({ case: 'accepted', value: { sequence: { era: 1n, number: 0n } } })],
      'a predecessor of 2^53': [down({ case: 'accepted', value: { predecessor: { era: PAST_SAFE, number: 1n } } })],
      'an error code that is not in the table': [rejecting({ code: 'bad_luck' })],
      'an error code that is a property of every object': [rejecting({ code: 'constructor' })],
      'a last change of 2^53': [rejecting({ lastChange: PAST_SAFE })],
      'a mismatch of no account': [differing({ account: b(0) })],
      'a missing device 0': [differing({ missing: [0] })],
      'a stale device 128': [differing({ stale: [128] })],
      'a head of a short handle': [down({ case: 'headsReply', value: { heads: [{ handle: b(31) }] } })],
      'more heads than can be asked': [
        down({ case: 'headsReply', value: { heads: Array.from({ length: 501 }, () => ({ handle: b(32) })) } }),
        'too_large',
      ],
      'an entry at number 0': [entries({ number: 0n })],
      'an entry with n = 0': [entries({ n: 0 })],
      'an entry by device 0': [entries({ senderDevice: 0 })],
      'a restart without incarnation': [down({ case: 'mailboxRestarted', value: {} })],
    },
    (bytes) => decodeDownBatch(bytes),
  );
});

describe('an envelope', () => {
  const common = {
    senderAccount: account,
    senderDevice: 2,
    serverTimeMs: 5n,
    ciphertextKind: CiphertextKind.SESSION,
    ciphertext: b(5),
  };
  const sequenced = (wrong: object) =>
    bytesOf(EnvelopeSchema, {
      ...common,
      kind: EnvelopeKind.SEQUENCED,
      handle: b(32),
      sequence: goodSequence,
      n: 1,
      ...wrong,
    });
  const direct = (wrong: object) =>
    bytesOf(EnvelopeSchema, { ...common, kind: EnvelopeKind.DIRECT, messageId, ...wrong });

  it('is taken where nothing is spoilt', () => {
    expect([decodeEnvelope(sequenced({})).type, decodeEnvelope(direct({})).type]).toEqual(['sequenced', 'direct']);
  });

  expectRefusals(
    {
      'no kind': [sequenced({ kind: EnvelopeKind.UNSPECIFIED })],
      'an unknown kind': [sequenced({ kind: 9 })],
      'no kind of ciphertext': [direct({ ciphertextKind: CiphertextKind.UNSPECIFIED })],
      'an unknown kind of ciphertext': [direct({ ciphertextKind: 4 })],
      'a sender that is no device': [direct({ senderDevice: 200 })],
      'no sequence': [sequenced({ sequence: undefined })],
      'number 0': [sequenced({ sequence: { era: 1n, number: 0n } })],
      'n = 0': [sequenced({ n: 0 })],
      'a short handle': [sequenced({ handle: b(8) })],
      'no message id': [direct({ messageId: b(0) })],
      'a server time of 2^53': [direct({ serverTimeMs: PAST_SAFE })],
      'a ciphertext over its limit': [direct({ ciphertext: b(limits.ciphertextMaxBytes + 1) }), 'too_large'],
      'more bytes than an envelope may have': [direct({ ciphertext: b(envelopeMaxBytes) }), 'too_large'],
    },
    decodeEnvelope,
  );
});

describe('a submit body', () => {
  const device = { device: 1, registrationId: 7, kind: CiphertextKind.PREKEY, ciphertext: b(3) };
  const recipient = { account, listVersion: 1, devices: [device] };
  const other = Buffer.from('00112233445540778899aabbccddee00', 'hex');
  const body = (wrong: object) => bytesOf(SubmitBodySchema, { recipients: [recipient], ...wrong });
  const named = (wrong: object) => body({ recipients: [{ ...recipient, ...wrong }] });
  const recipients = (...parts: readonly Uint8Array[]) => nested(4, ...parts);
  const sent = (wrong: object) => named({ devices: [{ ...device, ...wrong }] });

  it('may name an account with no devices, and no account at all', () => {
    expect(decodeSubmitBody(named({ devices: [] })).recipients).toMatchObject([{ devices: [] }]);
    expect(decodeSubmitBody(body({ recipients: [] })).recipients).toEqual([]);
  });

  expectRefusals(
    {
      'an account named twice': [body({ recipients: [recipient, recipient] }), 'bad_recipients'],
      'a device named twice': [named({ devices: [device, device] }), 'bad_recipients'],
      'a device with no ciphertext where none is shared': [sent({ ciphertext: b(0) }), 'bad_recipients'],
      'device 0': [sent({ device: 0 })],
      'device 128': [sent({ device: 128 })],
      'an unknown kind of ciphertext': [sent({ kind: 8 })],
      'no kind of ciphertext': [sent({ kind: CiphertextKind.UNSPECIFIED })],
      'list version 0': [named({ listVersion: 0 })],
      'a short account': [named({ account: b(4) })],
      'a ciphertext over its limit': [sent({ ciphertext: b(limits.ciphertextMaxBytes + 1) }), 'too_large'],
      'a shared ciphertext over its limit': [body({ sharedCiphertext: b(limits.ciphertextMaxBytes + 1) }), 'too_large'],
      'more devices than an account has': [named({ devices: Array.from({ length: 128 }, () => device) }), 'too_large'],
      'more recipients than a submit has': [
        body({ recipients: Array.from({ length: limits.recipientsPerSubmit + 1 }, () => ({ account: other })) }),
        'too_large',
      ],
      'an unknown field inside a recipient': [recipients(bytesOf(RecipientSchema, recipient), unknownField)],
      'an unknown field inside a device': [
        recipients(
          bytesOf(RecipientSchema, { account, listVersion: 1 }),
          nested(3, bytesOf(RecipientDeviceSchema, device), unknownField),
        ),
      ],
    },
    decodeSubmitBody,
  );
});

describe('a frame', () => {
  const list = { version: 1, hashPrefix: b(8) };
  const direct = { version: frameVersion, senderAccount: account, senderDevice: 1, messageId, kind: 3, list };
  const placed = { ...direct, kind: 1, handle: b(32), n: 1, prev: b(32) };
  const frame = (wrong: object) => bytesOf(FrameSchema, { ...placed, ...wrong });
  const seen = { era: 1n, from: 1n, to: 256n, hash: b(32) };
  const seeing = (wrong: object) => frame({ seen: { ...seen, ...wrong } });

  it('is taken where nothing is spoilt', () => {
    expect(decodeFrame(bytesOf(FrameSchema, direct)).place).toBeUndefined();
    expect(decodeFrame(seeing({})).place?.seen?.to).toBe(256);
  });

  it('of a kind that only a newer version knows is kept', () => {
    expect(decodeFrame(frame({ kind: 4_000 })).kind).toBe(4_000);
  });

  expectRefusals(
    {
      'version 0': [frame({ version: 0 })],
      'a newer version': [frame({ version: frameVersion + 1 })],
      'kind 0': [frame({ kind: 0 })],
      'a short handle': [frame({ handle: b(31) })],
      'n = 0 in a handle': [frame({ n: 0 })],
      'n without a handle': [bytesOf(FrameSchema, { ...direct, n: 1 })],
      'a prev without a handle': [bytesOf(FrameSchema, { ...direct, prev: b(32) })],
      'a seen without a handle': [bytesOf(FrameSchema, { ...direct, seen })],
      'no prev in a handle': [frame({ prev: b(0) })],
      'a short replaces': [frame({ replaces: [b(31)] })],
      'too many replaces': [frame({ replaces: Array.from({ length: 33 }, () => b(32)) }), 'too_large'],
      'a seen from 0': [seeing({ from: 0n })],
      'a seen that ends before it begins': [seeing({ from: 257n })],
      'a seen over 257 numbers': [seeing({ to: 257n })],
      'a seen in era 0': [seeing({ era: 0n })],
      'a seen with a short hash': [seeing({ hash: b(8) })],
      'no list': [frame({ list: undefined })],
      'list version 0': [frame({ list: { ...list, version: 0 } })],
      'a list hash of 9 bytes': [frame({ list: { ...list, hashPrefix: b(9) } })],
      'a time of 2^53': [frame({ sentAtMs: PAST_SAFE })],
      'a message id that is no UUID': [frame({ messageId: b(16, 0) })],
      'more bytes than a frame may have': [frame({ body: b(limits.frameMaxBytes) }), 'too_large'],
    },
    decodeFrame,
  );

  it('is not written over its limit', () => {
    const write = (body: Uint8Array) =>
      encodeFrame({
        sender: { account: parseAccountId('00112233-4455-4077-8899-aabbccddeeff'), device: parseDeviceId(1) },
        messageId: parseMessageId('019388fe-7a00-7123-8112-23344556677a'),
        kind: 1,
        list,
        sentAtMs: 1,
        body,
      });
    expect(() => write(b(limits.frameMaxBytes))).toThrow(/^too_large/);
    expect(write(b(limits.textMaxBytes + 200)).length).toBeLessThanOrEqual(limits.frameMaxBytes);
  });
});

describe('content', () => {
  it('may be a text at the limit, and no byte more', () => {
    const text = 'x'.repeat(limits.textMaxBytes);
    expect(decodeContent(encodeContent({ text })).text).toBe(text);
    expect(() => encodeContent({ text: `${text}y` })).toThrow(/^too_large/);
    expect(() => encodeContent({ text: 'ä'.repeat(limits.textMaxBytes / 2 + 1) })).toThrow(/^too_large/);
  });

  expectRefusals(
    {
      'a text over the limit': [bytesOf(ContentBodySchema, { text: 'x'.repeat(limits.textMaxBytes + 1) }), 'too_large'],
      'an answer to what is no message id': [bytesOf(ContentBodySchema, { text: 'x', replyTo: b(5) })],
    },
    decodeContent,
  );
});

describe('what a device says that it holds', () => {
  const heads = (wrong: object) => bytesOf(HeadsBodySchema, { handle: b(32), n: 3, frameHash: b(32), ...wrong });
  const seen = { era: 5n, from: 2n, to: 4n, hash: b(32) };

  expectRefusals(
    {
      'a short handle': [heads({ handle: b(2) })],
      'no hash': [heads({ frameHash: b(0) })],
      'a hash of no frame': [heads({ n: 0 })],
      'a run that ends before it begins': [heads({ seen: { ...seen, to: 1n } })],
      'a run that is too long': [heads({ seen: { ...seen, to: 258n } })],
    },
    decodeHeads,
  );
});

describe('a receipt', () => {
  const watermark = { kind: WatermarkKind.READ, handle: b(32), senderDevice: 1, n: 9, frameHash: b(32) };
  const receipt = (wrong: object) => bytesOf(ReceiptBodySchema, { watermarks: [{ ...watermark, ...wrong }] });

  expectRefusals(
    {
      'no kind': [receipt({ kind: WatermarkKind.UNSPECIFIED })],
      'an unknown kind': [receipt({ kind: 3 })],
      'a short handle': [receipt({ handle: b(2) })],
      'device 0': [receipt({ senderDevice: 0 })],
      'n = 0': [receipt({ n: 0 })],
      'a short frame hash': [receipt({ frameHash: b(31) })],
      'a range from 0': [receipt({ except: [{ from: 0, to: 1 }] })],
      'a range that ends before it begins': [receipt({ except: [{ from: 3, to: 2 }] })],
      'too many ranges': [receipt({ except: Array.from({ length: 65 }, () => ({ from: 1, to: 1 })) }), 'too_large'],
      'too many watermarks': [
        bytesOf(ReceiptBodySchema, { watermarks: Array.from({ length: 257 }, () => watermark) }),
        'too_large',
      ],
    },
    decodeReceipt,
  );
});

const numbers = (wrong: object = {}) => ({ era: 1n, from: 1n, to: 2n, ...wrong });
const frames = (wrong: object = {}) => ({ account, device: 1, from: 1, to: 2, ...wrong });
const many = <T>(length: number, one: T) => Array.from({ length }, () => one);
const TOO_FAR = 2n ** 53n;

describe('a repair request', () => {
  const request = (wrong: object) => bytesOf(RepairRequestBodySchema, { handle: b(32), ...wrong });

  expectRefusals(
    {
      'a short handle': [request({ handle: b(31) })],
      'era 0': [request({ numbers: [numbers({ era: 0n })] })],
      'an era over 2^53': [request({ numbers: [numbers({ era: TOO_FAR })] })],
      'numbers from 0': [request({ numbers: [numbers({ from: 0n })] })],
      'numbers over 2^53': [request({ numbers: [numbers({ to: TOO_FAR })] })],
      'numbers that end before they begin': [request({ numbers: [numbers({ from: 3n })] })],
      'a short account': [request({ frames: [frames({ account: b(15) })] })],
      'device 0': [request({ frames: [frames({ device: 0 })] })],
      'n from 0': [request({ frames: [frames({ from: 0 })] })],
      'n that end before they begin': [request({ frames: [frames({ from: 3 })] })],
      'too many ranges': [request({ numbers: many(33, numbers()), frames: many(32, frames()) }), 'too_large'],
    },
    decodeRepairRequest,
  );

  it('may have as many ranges as the limit says', () => {
    expect(
      decodeRepairRequest(request({ numbers: many(32, numbers()), frames: many(32, frames()) })).numbers,
    ).toHaveLength(32);
  });
});

describe('a repair answer', () => {
  const repaired = {
    era: 1n,
    number: 1n,
    senderAccount: account,
    senderDevice: 1,
    n: 1,
    serverTimeMs: 1n,
    frame: b(1),
  };
  const answer = (wrong: object) => bytesOf(RepairAnswerBodySchema, { handle: b(32), ...wrong });
  const withFrame = (wrong: object) => answer({ frames: [{ ...repaired, ...wrong }] });

  expectRefusals(
    {
      'a short handle': [answer({ handle: b(31) })],
      'era 0': [withFrame({ era: 0n })],
      'number 0': [withFrame({ number: 0n })],
      'a number over 2^53': [withFrame({ number: TOO_FAR })],
      'a short account': [withFrame({ senderAccount: b(15) })],
      'device 0': [withFrame({ senderDevice: 0 })],
      'n = 0': [withFrame({ n: 0 })],
      'a time over 2^53': [withFrame({ serverTimeMs: TOO_FAR })],
      'no frame': [withFrame({ frame: b(0) })],
      'more bytes than a frame may have': [withFrame({ frame: b(limits.frameMaxBytes) }), 'too_large'],
      'too many frames': [answer({ frames: many(257, repaired) }), 'too_large'],
      'gone numbers from 0': [answer({ goneNumbers: [numbers({ from: 0n })] })],
      'gone frames from 0': [answer({ goneFrames: [frames({ from: 0 })] })],
      'too many that are gone': [
        answer({ goneNumbers: many(33, numbers()), goneFrames: many(32, frames()) }),
        'too_large',
      ],
      'a last era without a number': [answer({ lastEra: 1n })],
      'a last number without an era': [answer({ lastNumber: 1n })],
    },
    decodeRepairAnswer,
  );

  it('may have as many frames as the limit says, and none', () => {
    const full = decodeRepairAnswer(answer({ frames: many(limits.framesPerRepairAnswer, repaired) }));
    expect(full.frames).toHaveLength(limits.framesPerRepairAnswer);
    expect(decodeRepairAnswer(answer({}))).toMatchObject({ frames: [], goneNumbers: [], goneFrames: [] });
  });
});

describe('a device list', () => {
  const device = { device: 1, registrationId: 1, authKey: b(32), addedIn: 1 };
  const key = Uint8Array.of(5, ...b(32, 1));
  const base = { account, version: 2, previousHash: b(32), identityKey: key, identityGeneration: 1, devices: [device] };
  const list = (wrong: object) => bytesOf(DeviceListSchema, { ...base, ...wrong });
  const listed = (wrong: object) => list({ devices: [{ ...device, ...wrong }] });
  const read = (bytes: Uint8Array) => readDeviceList({ bytes, signature: b(64) });

  it('is taken where nothing is spoilt', () => {
    expect(read(list({})).version).toBe(2);
  });

  expectRefusals(
    {
      'no account': [list({ account: b(0) })],
      'version 0': [list({ version: 0 })],
      'no hash of the list before': [list({ previousHash: b(0) })],
      'a list before the first': [list({ version: 1 })],
      'an identity key without its type': [list({ identityKey: b(33, 1) })],
      'an identity key of 32 bytes': [list({ identityKey: b(32, 5) })],
      'an identity key with its top bit set': [list({ identityKey: Uint8Array.of(5, ...b(32, 0x80)) })],
      'identity generation 0': [list({ identityGeneration: 0 })],
      'more identities than versions': [list({ identityGeneration: 3 })],
      'no device': [list({ devices: [] })],
      'more devices than an account has': [list({ devices: Array.from({ length: 128 }, () => device) }), 'too_large'],
      'a device named twice': [list({ devices: [device, device] })],
      'device 0': [listed({ device: 0 })],
      'registration id 0': [listed({ registrationId: 0 })],
      'registration id 0x4000': [listed({ registrationId: 0x4000 })],
      'an auth key of 33 bytes': [listed({ authKey: b(33) })],
      'a device added in version 0': [listed({ addedIn: 0 })],
      'a device added in a later version': [listed({ addedIn: 3 })],
      'a time of 2^53': [list({ createdAtMs: PAST_SAFE })],
      'more bytes than a list may have': [b(limits.deviceListMaxBytes + 1), 'too_large'],
    },
    read,
  );
  describe('with its signatures', () => {
    const signed = { list: b(3), signature: b(64) };
    expectRefusals(
      {
        'no signature': [bytesOf(SignedDeviceListSchema, { list: b(3) })],
        'a signature of 63 bytes': [bytesOf(SignedDeviceListSchema, { ...signed, signature: b(63) })],
        'a short signature by the key before': [
          bytesOf(SignedDeviceListSchema, { ...signed, previousSignature: b(1) }),
        ],
      },
      decodeSignedDeviceList,
    );
  });
});

describe('a refusal', () => {
  it('has a code of the table and quotes nothing of what it refuses', () => {
    const secret = 'correct horse battery staple';
    const bytes = bytesOf(UpBatchSchema, {
      messages: [{ message: { case: 'authenticate', value: { account: Buffer.from(secret), token: secret } } }],
    });
    expect(() => decodeUpBatch(bytes)).toThrow(
      expect.objectContaining({
        code: expect.toSatisfy((code: string) => Object.hasOwn(errors, code)) as unknown,
        message: expect.not.stringContaining(secret) as unknown,
      }),
    );
  });
});
