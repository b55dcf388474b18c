/**
 * libsignal's session record as bytes: what its library does not say of it, and the bounds that it does not set. Source of
 * the format: `storage.proto` of libsignal, RecordStructure {1: current session, 2: previous sessions, newest first},
 * SessionStructure {2: own identity key, 3: the peer's, 7: receiver chains}, Chain {1: ratchet key, 3: {1: index}}; of a message: `wire.proto`, SignalMessage
 * {1: ratchet key} between a version byte and 8 bytes of MAC.
 */
import { limits, sameBytes } from '@waxwing/protocol';

const NONE: Uint8Array = new Uint8Array(0);
const MAC_BYTES = 8;
const [CURRENT, PREVIOUS, RECEIVER_CHAIN] = [1, 2, 7];
const [OWN_IDENTITY, PEER_IDENTITY] = [2, 3];
const [CHAIN_RATCHET_KEY, CHAIN_KEY, CHAIN_INDEX] = [1, 3, 1];
const MESSAGE_RATCHET_KEY = 1;
const INNER_MESSAGE = 4;

/** The states of a record: the current one, if there is one, and those before it. */
export type SessionStates = { readonly current: Uint8Array | undefined; readonly previous: readonly Uint8Array[] };

/** Throws on what is no record: such an entry is damaged. */
export function readSessionRecord(record: Uint8Array): SessionStates {
  const fields = new Fields(record);
  let current: Uint8Array | undefined;
  const previous: Uint8Array[] = [];
  while (fields.next()) {
    if (fields.number === CURRENT) current = fields.bytes;
    if (fields.number === PREVIOUS) previous.push(fields.bytes);
  }
  if (!fields.isMessage) throw new Error('not a session record');
  return { current, previous };
}

/** The identity keys that the current session is between; undefined where there is none. */
export function sessionIdentities(record: Uint8Array): { own: Uint8Array; peer: Uint8Array } | undefined {
  const { current } = readSessionRecord(record);
  const own = current && lastField(current, OWN_IDENTITY);
  const peer = current && lastField(current, PEER_IDENTITY);
  return own && peer && { own, peer };
}

export function writeSessionRecord({ current, previous }: SessionStates): Uint8Array {
  const parts = current ? [{ number: CURRENT, bytes: current }] : [];
  const all = [...parts, ...previous.map((bytes) => ({ number: PREVIOUS, bytes }))];
  return Buffer.concat(all.flatMap(({ number, bytes }) => [Buffer.of((number << 3) | 2), varint(bytes.length), bytes]));
}

/** The record without its oldest previous states, as far as it must shrink to `sessionMaxBytes`; the current one stays. */
export function boundedSessionRecord(record: Uint8Array): Uint8Array {
  if (record.length <= limits.sessionMaxBytes) return record;
  const { current, previous } = readSessionRecord(record);
  const kept: Uint8Array[] = [];
  let bytes = (current?.length ?? 0) + PER_STATE_BYTES;
  for (const state of previous) {
    bytes += state.length + PER_STATE_BYTES;
    if (bytes > limits.sessionMaxBytes) break;
    kept.push(state);
  }
  return writeSessionRecord({ current, previous: kept });
}

/** Tag and length of a state, at most. */
const PER_STATE_BYTES = 6;

/**
 * The session message within a first message, between its version byte and its end (`wire.proto`, PreKeySignalMessage {4});
 * undefined where there is none.
 */
export function innerMessage(firstMessage: Uint8Array): Uint8Array | undefined {
  return lastField(firstMessage.subarray(1), INNER_MESSAGE);
}

/** Whether a first message asks for more steps of its chain than are walked. `record`: of its sender, where there is one. */
export function isFirstMessageTooFar(record: Uint8Array | undefined, { bytes, counter }: ReadMessage): boolean {
  const { current, previous } = record ? readSessionRecord(record) : { current: undefined, previous: [] };
  const key = ratchetKeyOf(bytes) ?? NONE;
  const known = [...(current ? [current] : []), ...previous].map((state) => chainIndex(state, key) ?? 0);
  return counter - Math.max(0, ...known) > limits.ratchetJumpMax;
}

/** A session message and the counter that it names. */
export type ReadMessage = { readonly bytes: Uint8Array; readonly counter: number };

/**
 * Which states may try a message, so that no message costs more than `ratchetStepsPerMessage` steps of a chain, whoever
 * altered its counter. libsignal walks a chain to the counter before it checks the MAC, and does so in every state: up to
 * 25,000 steps each, without end where both sides have one identity key.
 *
 * A state that knows the chain tries alone. Where none does, all try, each from the start of a new chain. Undefined: too
 * far, no state may.
 */
export function statesFor(record: Uint8Array, message: ReadMessage): TryingStates | undefined {
  const { current, previous } = readSessionRecord(record);
  const states = [...(current ? [current] : []), ...previous];
  const key = ratchetKeyOf(message.bytes);
  for (const state of key ? states : []) {
    const index = chainIndex(state, key ?? NONE);
    if (index === undefined) continue;
    if (message.counter - index > limits.ratchetJumpMax) return undefined;
    if (states.length === 1 && current) return { record, others: [] };
    return {
      record: writeSessionRecord({ current: state, previous: [] }),
      others: states.filter((other) => other !== state),
    };
  }
  if (message.counter > limits.ratchetJumpMax) return undefined;
  if (message.counter * states.length > limits.ratchetStepsPerMessage) return undefined;
  return { record, others: [] };
}

/** A record of the states that try, and those that stand behind it afterwards. */
export type TryingStates = { readonly record: Uint8Array; readonly others: readonly Uint8Array[] };

/** The record after a message was read, with the states that did not try. */
export function rejoined(record: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  if (others.length === 0) return record;
  const { current, previous } = readSessionRecord(record);
  return writeSessionRecord({ current, previous: [...previous, ...others] });
}

function ratchetKeyOf(message: Uint8Array): Uint8Array | undefined {
  return lastField(message.subarray(1, -MAC_BYTES), MESSAGE_RATCHET_KEY);
}

/** How far the state has walked the receiving chain of this ratchet key; undefined where it has none. */
function chainIndex(state: Uint8Array, ratchetKey: Uint8Array): number | undefined {
  const fields = new Fields(state);
  let index: number | undefined;
  while (fields.next()) {
    if (fields.number === RECEIVER_CHAIN) index ??= indexOf(fields.bytes, ratchetKey);
  }
  return fields.isMessage ? index : undefined;
}

function indexOf(chain: Uint8Array, ratchetKey: Uint8Array): number | undefined {
  const fields = new Fields(chain);
  let isWanted = false;
  let chainKey = NONE;
  while (fields.next()) {
    if (fields.number === CHAIN_RATCHET_KEY) isWanted = sameBytes(fields.bytes, ratchetKey);
    if (fields.number === CHAIN_KEY) chainKey = fields.bytes;
  }
  if (!isWanted || !fields.isMessage) return undefined;
  const key = new Fields(chainKey);
  let index = 0;
  while (key.next()) if (key.number === CHAIN_INDEX) index = key.value;
  return key.isMessage ? index : 0;
}

/** The bytes of a message's last field of this number; undefined where it has none, or is no message. */
function lastField(message: Uint8Array, wanted: number): Uint8Array | undefined {
  const fields = new Fields(message);
  let found: Uint8Array | undefined;
  while (fields.next()) if (fields.number === wanted) found = fields.bytes;
  return fields.isMessage ? found : undefined;
}

/**
 * The fields of a protobuf message, one after the other. It makes nothing for a field that nobody asks for: every message
 * that is read goes through a whole record.
 */
class Fields {
  /** Of the field that `next` came to, and what it holds where that is a number. */
  number = 0;
  value = 0;
  /** False once the bytes turned out to be none: what came before says nothing then. */
  isMessage = true;
  readonly #message: Uint8Array;
  #from = 0;
  #to = 0;

  constructor(message: Uint8Array) {
    this.#message = message;
  }

  /** Goes to the next field, if there is one. */
  next(): boolean {
    this.#from = this.#to;
    if (this.#from >= this.#message.length) return false;
    const tag = this.#readVarint();
    const wire = tag % 8;
    this.value = wire === 0 || wire === 2 ? this.#readVarint() : wire === 1 ? 8 : wire === 5 ? 4 : Number.NaN;
    this.number = Math.floor(tag / 8);
    this.#to = wire === 0 ? this.#from : this.#from + this.value;
    this.isMessage = this.#to <= this.#message.length && !Number.isNaN(this.value);
    return this.isMessage;
  }

  /** What the field holds, as a view. */
  get bytes(): Uint8Array {
    return this.#message.subarray(this.#from, this.#to);
  }

  /** NaN where the bytes end within it, or it has more than ten. */
  #readVarint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = this.#message[this.#from++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}
