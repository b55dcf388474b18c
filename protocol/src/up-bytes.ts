import { handleFromBytes, messageIdFromBytes, parsePosition, type Position } from './ids.ts';
import { limits } from './limits.ts';
import {
  cursorOver,
  hasTag,
  isWhole,
  readBytes,
  readEnd,
  readFixed,
  readSequence,
  readUint32,
  readUuid,
  readVarint,
  type Cursor,
} from './wire-bytes.ts';

/**
 * The messages of a batch if all of them are submits, direct submits, acks and heartbeats, as devices write them: fields in
 * order, nothing unknown, nothing out of its range. Undefined for every other batch, which is to be read in another way; what is
 * answered is what that way would answer.
 */
export function readUpBatch(bytes: Uint8Array): UpMessage[] | undefined {
  if (bytes.length > limits.batchMaxBytes) return undefined;
  const cursor = cursorOver(bytes);
  const messages: UpMessage[] = [];
  while (cursor.at < bytes.length) {
    const message = readUp(cursor, bytes.length);
    if (message === undefined || messages.length === limits.batchMaxMessages) return undefined;
    messages.push(message);
  }
  return messages.length > 0 ? messages : undefined;
}

type UpMessage = NonNullable<
  | ReturnType<typeof readSubmit>
  | ReturnType<typeof readDirect>
  | ReturnType<typeof readAck>
  | ReturnType<typeof readHeartbeat>
>;

function readUp(cursor: Cursor, batchEnd: number): UpMessage | undefined {
  cursor.end = batchEnd;
  if (!hasTag(cursor, 0x0a)) return undefined;
  const end = readEnd(cursor);
  cursor.end = end;
  const kind = cursor.bytes[cursor.at++];
  const inner = readEnd(cursor);
  // One message each, and nothing behind it.
  if (cursor.failed || inner !== end) return undefined;
  switch (kind) {
    case 0x12:
      return readSubmit(cursor);
    case 0x1a:
      return readDirect(cursor);
    case 0x22:
      return readAck(cursor);
    case 0x3a:
      return readHeartbeat(cursor);
    default:
      return undefined;
  }
}

function readSubmit(cursor: Cursor) {
  const request = hasTag(cursor, 0x08) ? readUint32(cursor) : 0;
  if (!hasTag(cursor, 0x12)) return undefined;
  const handle = readFixed(cursor, 32);
  const n = hasTag(cursor, 0x18) ? readUint32(cursor) : 0;
  const attempt = hasTag(cursor, 0x20) ? readUint32(cursor) : 0;
  const oldest = hasTag(cursor, 0x28) ? readUint32(cursor) : 0;
  const floor = hasTag(cursor, 0x32) ? readSequence(cursor) : undefined;
  const changeBase = hasTag(cursor, 0x38) ? readVarint(cursor) : undefined;
  const body = hasTag(cursor, 0x42) ? readBytes(cursor) : cursor.bytes.subarray(0, 0);
  if (!isWhole(cursor) || oldest < 1 || oldest > n) return undefined;
  return {
    type: 'submit' as const,
    request,
    handle: handleFromBytes(handle),
    n,
    attempt,
    oldest,
    ...(floor && { floor }),
    ...(changeBase !== undefined && { changeBase }),
    body,
  };
}

function readDirect(cursor: Cursor) {
  const request = hasTag(cursor, 0x08) ? readUint32(cursor) : 0;
  if (!hasTag(cursor, 0x12)) return undefined;
  const messageId = readUuid(cursor);
  const attempt = hasTag(cursor, 0x18) ? readUint32(cursor) : 0;
  const body = hasTag(cursor, 0x22) ? readBytes(cursor) : cursor.bytes.subarray(0, 0);
  if (!isWhole(cursor)) return undefined;
  return { type: 'direct_submit' as const, request, messageId: messageIdFromBytes(messageId), attempt, body };
}

function readAck(cursor: Cursor) {
  const committed = readCommitted(cursor);
  return committed && { type: 'ack' as const, committed };
}

function readHeartbeat(cursor: Cursor) {
  if (cursor.at === cursor.end) return { type: 'heartbeat' as const };
  const committed = readCommitted(cursor);
  return committed && { type: 'heartbeat' as const, committed };
}

/** A position that is all there is. */
function readCommitted(cursor: Cursor): Position | undefined {
  if (!hasTag(cursor, 0x0a) || readEnd(cursor) !== cursor.end || !hasTag(cursor, 0x0a)) return undefined;
  const incarnation = readFixed(cursor, 8);
  const number = hasTag(cursor, 0x10) ? readVarint(cursor) : 0;
  return isWhole(cursor) ? parsePosition(incarnation, number) : undefined;
}
