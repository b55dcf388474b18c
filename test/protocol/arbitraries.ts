import fc from 'fast-check';
import {
  errors,
  frameKinds,
  handleFromBytes,
  limits,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseMessageId,
  parsePosition,
  type Content,
  type DeviceList,
  type Down,
  type Envelope,
  type ErrorCode,
  type Frame,
  type HeadsClaim,
  type ListedDevice,
  type Mark,
  type Recipient,
  type RepairAnswer,
  type RepairRequest,
  type SubmitBody,
  type Up,
  type Watermark,
} from '@waxwing/protocol';

// Every value that the codecs carry, over the whole of its range; each message in it as often with as without its optional parts.

const MAX_UINT32 = 2 ** 32 - 1;

const bytes = (min: number, max = min) => fc.uint8Array({ minLength: min, maxLength: max });
const uint32 = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: MAX_UINT32 }), fc.constant(MAX_UINT32));
const count32 = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: MAX_UINT32 }));
const safe = fc.oneof(fc.nat(20), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));
const count = safe.map((n) => Math.max(n, 1));

const account = fc.uuid({ version: 4 }).map(parseAccountId);
const messageId = fc.uuid({ version: 7 }).map(parseMessageId);
const device = fc.integer({ min: 1, max: 127 }).map(parseDeviceId);
const address = fc.record({ account, device });
const handle = bytes(32).map(handleFromBytes);
const sequence = fc.record({ era: count.map(parseEra), number: count });
const position = fc.tuple(bytes(8), safe).map(([incarnation, number]) => parsePosition(incarnation, number));
const incarnation = position.map((p) => p.incarnation);
const hash = bytes(32);
const ciphertextKind = fc.constantFrom('session', 'prekey', 'sender_key');

type Arbitraries<T> = { [K in keyof T]: fc.Arbitrary<T[K]> };

/** A record in which the keys of `optional` come as often as not, and never with the value undefined. */
function record<R extends object, O extends object>(required: Arbitraries<R>, optional: Arbitraries<O>) {
  const sometimes = fc.record<O, never>(optional, { requiredKeys: [] });
  return fc.tuple(fc.record<R>(required), sometimes).map(([a, b]) => ({ ...a, ...b }));
}

/** All messages of one direction, by type: a type without an arbitrary does not compile. */
type EachType<T extends { readonly type: string }> = {
  readonly [K in T['type']]: fc.Arbitrary<Extract<T, { type: K }>>;
};

export const ups: EachType<Up> = {
  authenticate: record(
    {
      type: fc.constant('authenticate'),
      account,
      device,
      token: fc.string({ maxLength: 60, unit: 'grapheme-ascii' }),
      generations: fc.array(bytes(16), { minLength: 1, maxLength: 6 }),
    },
    { committed: position },
  ),
  submit: fc
    .tuple(
      record(
        { type: fc.constant('submit'), request: uint32, handle, attempt: uint32, body: bytes(0, 60) },
        { floor: sequence, changeBase: safe },
      ),
      count32,
      fc.nat(15),
    )
    .map(([submit, n, behind]) => ({ ...submit, n, oldest: Math.max(1, n - behind) })),
  direct_submit: fc.record({
    type: fc.constant('direct_submit'),
    request: uint32,
    messageId,
    attempt: uint32,
    body: bytes(0, 60),
  }),
  ack: fc.record({ type: fc.constant('ack'), committed: position }),
  heads: fc.record({ type: fc.constant('heads'), request: uint32, handles: fc.array(handle, { maxLength: 5 }) }),
  entries: fc.record({
    type: fc.constant('entries'),
    request: uint32,
    handle,
    era: count.map(parseEra),
    numbers: fc.array(count, { maxLength: 9 }),
  }),
  heartbeat: record({ type: fc.constant('heartbeat') }, { committed: position }),
};
export const up: fc.Arbitrary<Up> = fc.oneof(...Object.values(ups));

const mark: fc.Arbitrary<Mark> = fc
  .record({ a: count, b: count, count: count32, reason: fc.constantFrom('expired', 'over_quota') })
  .map(({ a, b, ...rest }) => ({ from: Math.min(a, b), to: Math.max(a, b), ...rest }));
const marks = fc.array(mark, { maxLength: 4 });
const deviceIds = fc.array(device, { maxLength: 4 });
const errorCode = fc.constantFrom(...Object.keys(errors)) as fc.Arbitrary<ErrorCode>;

export const downs: EachType<Down> = {
  challenge: fc.record({
    type: fc.constant('challenge'),
    nonce: bytes(32),
    serverTimeMs: safe,
    versions: fc.array(uint32, { maxLength: 4 }),
    limits: fc.record({
      batchMaxBytes: count32,
      ciphertextMaxBytes: count32,
      windowPerHandle: count32,
      windowInAll: count32,
      heartbeatMs: count32,
    }),
  }),
  ready: fc.record({
    type: fc.constant('ready'),
    incarnation,
    mailboxRestarted: fc.boolean(),
    prekeysLow: fc.boolean(),
    marks,
  }),
  deliver: fc.record({ type: fc.constant('deliver'), position, envelope: bytes(0, 60) }),
  marks: fc.record({ type: fc.constant('marks'), marks }),
  drained: fc.record({ type: fc.constant('drained') }),
  accepted: record(
    {
      type: fc.constant('accepted'),
      request: uint32,
      duplicate: fc.boolean(),
      n: uint32,
      attempt: uint32,
      serverTimeMs: safe,
    },
    { sequence, predecessor: sequence },
  ),
  rejected: record(
    {
      type: fc.constant('rejected'),
      request: uint32,
      code: errorCode,
      retryAfterMs: uint32,
      mismatches: fc.array(
        fc.record({ account, listVersion: uint32, missing: deviceIds, extra: deviceIds, stale: deviceIds }),
        { maxLength: 3 },
      ),
    },
    { lastChange: safe },
  ),
  heads_reply: fc.record({
    type: fc.constant('heads_reply'),
    request: uint32,
    heads: fc.array(record({ handle }, { last: sequence, predecessor: sequence }), { maxLength: 4 }),
  }),
  entries_reply: fc.record({
    type: fc.constant('entries_reply'),
    request: uint32,
    entries: fc.array(fc.record({ number: count, sender: address, n: count32 }), { maxLength: 4 }),
  }),
  heartbeat: fc.record({ type: fc.constant('heartbeat') }),
  go_away: fc.record({ type: fc.constant('go_away'), retryAfterMs: uint32 }),
  prekeys_low: fc.record({ type: fc.constant('prekeys_low') }),
  mailbox_restarted: fc.record({ type: fc.constant('mailbox_restarted'), incarnation }),
};
export const down: fc.Arbitrary<Down> = fc.oneof(...Object.values(downs));

const inEveryEnvelope = {
  sender: address,
  serverTimeMs: safe,
  visible: fc.boolean(),
  urgent: fc.boolean(),
  attempt: uint32,
  ciphertextKind,
  ciphertext: bytes(0, 80),
} as const;

const sequencedEnvelope = record(
  { ...inEveryEnvelope, type: fc.constant('sequenced'), handle, sequence, n: count32 },
  { predecessor: sequence },
);
const directEnvelope = fc.record({ ...inEveryEnvelope, type: fc.constant('direct'), messageId });
export const envelope: fc.Arbitrary<Envelope> = fc.oneof(sequencedEnvelope, directEnvelope);

/** A shared ciphertext as often as not; where there is none, every device has its own. */
export const submitBody: fc.Arbitrary<SubmitBody> = fc.boolean().chain((shared) => {
  const own = { ciphertext: bytes(1, 40) };
  const address = { device, registrationId: uint32, kind: ciphertextKind };
  const recipient: fc.Arbitrary<Recipient> = fc.record({
    account,
    listVersion: count32,
    devices: fc.uniqueArray(shared ? record(address, own) : fc.record({ ...address, ...own }), {
      maxLength: 4,
      selector: (named) => named.device,
    }),
  });
  return fc.record({
    change: fc.boolean(),
    visible: fc.boolean(),
    urgent: fc.boolean(),
    recipients: fc.uniqueArray(recipient, { maxLength: 4, selector: (named) => named.account }),
    ...(shared && { sharedCiphertext: bytes(1, 80) }),
  });
});

const seen = fc
  .record({ era: count.map(parseEra), from: count, more: fc.nat(limits.seenMaxNumbers - 1), hash })
  .map(({ more, ...rest }) => ({ ...rest, to: Math.min(rest.from + more, Number.MAX_SAFE_INTEGER) }));

const inEveryFrame = {
  sender: address,
  messageId,
  kind: fc.oneof(fc.constantFrom(...Object.values(frameKinds)), count32),
  list: fc.record({ version: count32, hashPrefix: bytes(8) }),
  sentAtMs: safe,
  body: bytes(0, 300),
} as const;

export const frame: fc.Arbitrary<Frame> = record(inEveryFrame, {
  place: record({ handle, n: count32, prev: hash, replaces: fc.array(hash, { maxLength: 4 }) }, { seen }),
});

export const content: fc.Arbitrary<Content> = record(
  { text: fc.string({ unit: 'grapheme', maxLength: 200 }) },
  { replyTo: messageId },
);

const range = fc.tuple(count32, count32).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
export const receipt: fc.Arbitrary<Watermark[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('delivered', 'read'),
    handle,
    senderDevice: device,
    n: count32,
    frameHash: hash,
    except: fc.array(range, { maxLength: 4 }),
  }),
  { maxLength: 4 },
);

export const heads: fc.Arbitrary<HeadsClaim> = record(
  { handle },
  { head: fc.record({ n: count32, frameHash: hash }), seen },
);

const numberRanges = fc.array(
  fc.tuple(count, count, count.map(parseEra)).map(([a, b, era]) => ({ era, from: Math.min(a, b), to: Math.max(a, b) })),
  { maxLength: 3 },
);
const deviceRanges = fc.array(
  fc.tuple(address, range).map(([sender, of]) => ({ sender, ...of })),
  { maxLength: 3 },
);

export const repairRequest: fc.Arbitrary<RepairRequest> = fc.record({
  handle,
  numbers: numberRanges,
  frames: deviceRanges,
});

export const repairAnswer: fc.Arbitrary<RepairAnswer> = record(
  {
    handle,
    frames: fc.array(fc.record({ sequence, sender: address, n: count32, serverTimeMs: safe, frame: bytes(1, 200) }), {
      maxLength: 3,
    }),
    goneNumbers: numberRanges,
    goneFrames: deviceRanges,
  },
  { last: sequence },
);

const publicKey = bytes(33).map((key) => {
  const valid = Uint8Array.from(key);
  valid[0] = 5;
  valid[32] = (valid[32] ?? 0) & 0x7f;
  return valid;
});

export const deviceList: fc.Arbitrary<DeviceList> = fc
  .oneof(fc.constant(1), fc.integer({ min: 2, max: MAX_UINT32 }))
  .chain((version) => {
    const upToVersion = fc.integer({ min: 1, max: version });
    const listed: fc.Arbitrary<ListedDevice> = fc.record({
      device,
      registrationId: fc.integer({ min: 1, max: 0x3fff }),
      authKey: bytes(32),
      addedIn: upToVersion,
      encryptedName: bytes(0, 40),
    });
    return fc.record({
      account,
      version: fc.constant(version),
      previousHash: version === 1 ? fc.constant(new Uint8Array()) : hash,
      identityKey: publicKey,
      identityGeneration: upToVersion,
      devices: fc.uniqueArray(listed, { minLength: 1, maxLength: 5, selector: (one) => one.device }),
      createdAtMs: safe,
    });
  });
