import { create, toBinary } from '@bufbuild/protobuf';
import { ReceiptBodySchema, WatermarkKind as Kind } from './gen/waxwing/v1/frame_pb.ts';
import { parseDeviceId, type DeviceId, type Handle } from './ids.ts';
import { limits } from './limits.ts';
import { atMost, decode, exactly, fromHandle, malformed, toCount, toHandle } from './schema.ts';

/** Numbers from `from` to `to`, both included. */
export type NRange = { readonly from: number; readonly to: number };

/**
 * Everything of the receiving account's device `senderDevice` up to `n`, but for `except`, is committed on (delivered)
 * or was shown by (read) a device of the account that says so. `frameHash` is that of frame n.
 */
export type Watermark = {
  readonly kind: 'delivered' | 'read';
  readonly handle: Handle;
  readonly senderDevice: DeviceId;
  readonly n: number;
  readonly frameHash: Uint8Array;
  readonly except: readonly NRange[];
};

/** The body of a frame of kind receipt. */
export function encodeReceipt(watermarks: readonly Watermark[]): Uint8Array {
  return toBinary(
    ReceiptBodySchema,
    create(ReceiptBodySchema, {
      watermarks: watermarks.map((watermark) => ({
        kind: watermark.kind === 'read' ? Kind.READ : Kind.DELIVERED,
        handle: fromHandle(watermark.handle),
        senderDevice: watermark.senderDevice,
        n: watermark.n,
        frameHash: watermark.frameHash,
        except: watermark.except.map(({ from, to }) => ({ from, to })),
      })),
    }),
  );
}

/** Refuses with `malformed` or `too_large`. */
export function decodeReceipt(bytes: Uint8Array): Watermark[] {
  const { watermarks } = decode(ReceiptBodySchema, bytes, limits.frameMaxBytes);
  return atMost(watermarks, limits.watermarksPerReceipt, 'watermarks').map((watermark) => ({
    kind: toKind(watermark.kind),
    handle: toHandle(watermark.handle),
    senderDevice: parseDeviceId(watermark.senderDevice),
    n: toCount(watermark.n, 'n'),
    frameHash: exactly(watermark.frameHash, 32, 'frame hash'),
    except: atMost(watermark.except, limits.exceptRangesPerWatermark, 'except').map(({ from, to }) =>
      from >= 1 && from <= to ? { from, to } : malformed('except'),
    ),
  }));
}

function toKind(kind: Kind): Watermark['kind'] {
  switch (kind) {
    case Kind.DELIVERED:
      return 'delivered';
    case Kind.READ:
      return 'read';
    default:
      return malformed('watermark kind');
  }
}
