import { create, toBinary } from '@bufbuild/protobuf';
import { ContentBodySchema } from './gen/waxwing/v1/frame_pb.ts';
import { messageIdFromBytes, uuidToBytes, type MessageId } from './ids.ts';
import { limits } from './limits.ts';
import { decode, refuseOver } from './schema.ts';

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
  const { text, replyTo } = decode(ContentBodySchema, bytes, limits.frameMaxBytes);
  refuseOver(Buffer.byteLength(text), limits.textMaxBytes, 'text');
  return { text, ...(replyTo.length > 0 && { replyTo: messageIdFromBytes(replyTo) }) };
}
