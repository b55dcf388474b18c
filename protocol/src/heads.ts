import { create, toBinary } from '@bufbuild/protobuf';
import { HeadsBodySchema } from './gen/waxwing/v1/frame_pb.ts';
import type { Handle } from './ids.ts';
import { limits } from './limits.ts';
import { decode, exactly, fromHandle, malformed, toHandle } from './schema.ts';
import { fromSeen, toSeen, type Seen } from './seen.ts';

/** What a device holds in a handle: its own newest frame that was accepted, and what it has seen. */
export type HeadsClaim = {
  readonly handle: Handle;
  /** Absent where it sent nothing. */
  readonly head?: { readonly n: number; readonly frameHash: Uint8Array };
  /** Absent where it holds nothing. */
  readonly seen?: Seen;
};

/** The body of a frame of kind heads. */
export function encodeHeads({ handle, head, seen }: HeadsClaim): Uint8Array {
  return toBinary(
    HeadsBodySchema,
    create(HeadsBodySchema, {
      handle: fromHandle(handle),
      ...(head && { n: head.n, frameHash: head.frameHash }),
      ...(seen && { seen: fromSeen(seen) }),
    }),
  );
}

/** Refuses with `malformed` or `too_large`. */
export function decodeHeads(bytes: Uint8Array): HeadsClaim {
  const { handle, n, frameHash, seen } = decode(HeadsBodySchema, bytes, limits.frameMaxBytes);
  if (n === 0 && frameHash.length > 0) malformed('heads');
  return {
    handle: toHandle(handle),
    ...(n > 0 && { head: { n, frameHash: exactly(frameHash, 32, 'frame hash') } }),
    ...(seen && { seen: toSeen(seen) }),
  };
}
