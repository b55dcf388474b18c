import { accountIdFromBytes, handleFromBytes, messageIdFromBytes, parseDeviceId } from './ids.ts';
import { limits } from './limits.ts';
import { ciphertextKinds } from './submit-body-bytes.ts';
import {
  cursorOver,
  hasTag,
  isWhole,
  readBytes,
  readFixed,
  readFlag,
  readSequence,
  readUint32,
  readUuid,
  readVarint,
} from './wire-bytes.ts';

const [SEQUENCED, DIRECT] = [1, 2];

/**
 * What an envelope says, if it is written as relays write one: fields in order, nothing unknown, nothing out of its range.
 * Undefined for every other one, which is to be read in another way; what is answered is what that way would answer.
 */
export function readEnvelope(bytes: Uint8Array) {
  const cursor = cursorOver(bytes);
  const kind = hasTag(cursor, 0x08) ? readUint32(cursor) : 0;
  if (!hasTag(cursor, 0x12)) return undefined;
  const account = readUuid(cursor);
  const device = hasTag(cursor, 0x18) ? readUint32(cursor) : 0;
  const serverTimeMs = hasTag(cursor, 0x20) ? readVarint(cursor) : 0;
  const visible = readFlag(cursor, 0x28);
  const urgent = readFlag(cursor, 0x30);
  const attempt = hasTag(cursor, 0x38) ? readUint32(cursor) : 0;
  const ciphertextKind = hasTag(cursor, 0x40) ? ciphertextKinds[readUint32(cursor)] : undefined;
  const ciphertext = hasTag(cursor, 0x4a) ? readBytes(cursor) : bytes.subarray(0, 0);
  if (device < 1 || device > 127 || ciphertextKind === undefined) return undefined;
  if (cursor.failed || ciphertext.length > limits.ciphertextMaxBytes) return undefined;
  const sender = { account: accountIdFromBytes(account), device: parseDeviceId(device) };
  const common = { sender, serverTimeMs, visible, urgent, attempt, ciphertextKind, ciphertext };
  if (kind === DIRECT) {
    if (!hasTag(cursor, 0x72)) return undefined;
    const messageId = readUuid(cursor);
    return isWhole(cursor)
      ? { ...common, type: 'direct' as const, messageId: messageIdFromBytes(messageId) }
      : undefined;
  }
  if (kind !== SEQUENCED || !hasTag(cursor, 0x52)) return undefined;
  const handle = readFixed(cursor, 32);
  const sequence = hasTag(cursor, 0x5a) ? readSequence(cursor) : undefined;
  const predecessor = hasTag(cursor, 0x62) ? readSequence(cursor) : undefined;
  const n = hasTag(cursor, 0x68) ? readUint32(cursor) : 0;
  if (!isWhole(cursor) || sequence === undefined || n < 1) return undefined;
  return {
    ...common,
    type: 'sequenced' as const,
    handle: handleFromBytes(handle),
    sequence,
    n,
    ...(predecessor && { predecessor }),
  };
}
