import { isUtf8 } from 'node:buffer';
import { create, toBinary } from '@bufbuild/protobuf';
import { ContentBodySchema } from './gen/waxwing/v1/frame_pb.ts';
import { messageIdFromBytes, uuidToBytes, type MessageId } from './ids.ts';
import { limits } from './limits.ts';
import { decode, refuseOver } from './schema.ts';
import { cursorOver, hasTag, isWhole, readBytes, readUuid } from './wire-bytes.ts';

/** The body of a frame of kind content. */
export type Content = { readonly text: string; readonly replyTo?: MessageId };

/** Refuses a text over the limit with `too_large`. */
export function encodeContent(content: Content): Uint8Array {
  refuseOver(Buffer.byteLength(content.text), limits.textMaxBytes, 'text');
  return toBinary(
    ContentBodySchema,
    create(ContentBodySchema, {
      text: content.text,
      ...(content.replyTo && { replyTo: uuidToBytes(content.replyTo) }),
    }),
  );
}

/** Refuses with `malformed` or `too_large`. */
export function decodeContent(bytes: Uint8Array): Content {
  return readContent(bytes) ?? decodeAnyContent(bytes);
}

/** What a body says that is written as this version writes one; undefined for every other one. */
function readContent(bytes: Uint8Array): Content | undefined {
  const cursor = cursorOver(bytes);
  const text = hasTag(cursor, 0x0a) ? readBytes(cursor) : bytes.subarray(0, 0);
  const replyTo = hasTag(cursor, 0x12) ? readUuid(cursor) : undefined;
  if (!isWhole(cursor) || text.length > limits.textMaxBytes || !isUtf8(text)) return undefined;
  const { buffer, byteOffset, length } = text;
  const written = Buffer.from(buffer, byteOffset, length).toString('utf8');
  return { text: written, ...(replyTo && { replyTo: messageIdFromBytes(replyTo) }) };
}

/** The same for every body, with the generated code. */
function decodeAnyContent(bytes: Uint8Array): Content {
  const { text, replyTo } = decode(ContentBodySchema, bytes, limits.frameMaxBytes);
  refuseOver(Buffer.byteLength(text), limits.textMaxBytes, 'text');
  return { text, ...(replyTo.length > 0 && { replyTo: messageIdFromBytes(replyTo) }) };
}
