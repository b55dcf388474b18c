import { keyLabels, parseMessageId, sha256, type MessageId, type Runtime } from '@waxwing/protocol';
import { v7 } from 'uuid';

/** A fresh UUIDv7 by the runtime's clock and random source. */
export function newMessageId(runtime: Pick<Runtime, 'clock' | 'randomBytes'>): MessageId {
  return parseMessageId(v7({ msecs: runtime.clock.now(), random: runtime.randomBytes(16) }));
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The message id that an app's own key stands for: itself if it is a UUIDv7, else a UUIDv8 made of its hash. */
export function messageIdOf(key: string): MessageId {
  if (UUID.test(key)) return parseMessageId(key);
  const bytes = Buffer.from(sha256(keyLabels.messageKey, key)).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return parseMessageId(
    [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
  );
}
