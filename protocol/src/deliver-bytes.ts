import { envelopeMaxBytes } from './envelope.ts';
import { parsePosition } from './ids.ts';
import { cursorOver, hasTag, isWhole, readBytes, readEnd, readFixed, readVarint, type Cursor } from './wire-bytes.ts';

/**
 * The messages of a batch if all of them are deliveries, as relays write them: fields in order, nothing unknown, nothing
 * out of its range. Undefined for every other batch, which is to be read in another way; what is answered is what that way
 * would answer.
 */
export function readDeliveries(bytes: Uint8Array) {
  const cursor = cursorOver(bytes);
  const deliveries: NonNullable<ReturnType<typeof readDelivery>>[] = [];
  while (cursor.at < bytes.length) {
    cursor.end = bytes.length;
    const delivery = readDelivery(cursor);
    if (delivery === undefined) return undefined;
    deliveries.push(delivery);
  }
  return deliveries;
}

function readDelivery(cursor: Cursor) {
  if (!hasTag(cursor, 0x0a)) return undefined;
  const end = readEnd(cursor);
  cursor.end = end;
  // One message each, and nothing behind it.
  if (!hasTag(cursor, 0x1a) || readEnd(cursor) !== end) return undefined;
  if (!hasTag(cursor, 0x0a)) return undefined;
  cursor.end = readEnd(cursor);
  if (!hasTag(cursor, 0x0a)) return undefined;
  const incarnation = readFixed(cursor, 8);
  const number = hasTag(cursor, 0x10) ? readVarint(cursor) : 0;
  if (!isWhole(cursor)) return undefined;
  cursor.end = end;
  const envelope = hasTag(cursor, 0x12) ? readBytes(cursor) : cursor.bytes.subarray(0, 0);
  if (!isWhole(cursor) || envelope.length > envelopeMaxBytes) return undefined;
  return { type: 'deliver' as const, position: parsePosition(incarnation, number), envelope };
}
