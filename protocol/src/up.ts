import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { UpBatchSchema, type UpSchema, type Up as UpShape } from './gen/waxwing/v1/wire_pb.ts';
import {
  accountIdFromBytes,
  messageIdFromBytes,
  parseDeviceId,
  parseEra,
  uuidToBytes,
  type AccountId,
  type DeviceId,
  type EraNumber,
  type Handle,
  type MessageId,
  type Position,
  type Sequence,
} from './ids.ts';
import { limits } from './limits.ts';
import {
  atMost,
  decodeForm,
  encodeForm,
  exactly,
  fromHandle,
  fromPosition,
  fromSequence,
  malformed,
  noUnknown,
  refuseOver,
  required,
  toCount,
  toHandle,
  toNumber,
  toPosition,
  toSequence,
  type Form,
} from './schema.ts';
import { readUpBatch } from './up-bytes.ts';

/** First message of a connection. `generations` are the tokens that this device may be stored under, oldest first, the newest last. */
export type Authenticate = {
  readonly type: 'authenticate';
  readonly account: AccountId;
  readonly device: DeviceId;
  readonly token: string;
  readonly generations: readonly Uint8Array[];
  readonly committed?: Position;
};

/** A sequenced message. `n` is the device's own dense count in the handle; `body` a serialised SubmitBody. */
export type Submit = {
  readonly type: 'submit';
  readonly request: number;
  readonly handle: Handle;
  readonly n: number;
  readonly attempt: number;
  readonly oldest: number;
  readonly floor?: Sequence;
  readonly changeBase?: number;
  readonly body: Uint8Array;
};

/** A message without a number: receipts, keys, repair. */
export type DirectSubmit = {
  readonly type: 'direct_submit';
  readonly request: number;
  readonly messageId: MessageId;
  readonly attempt: number;
  readonly body: Uint8Array;
};

/** Everything up to the position is committed on the device. */
export type Ack = { readonly type: 'ack'; readonly committed: Position };

/** Asks for the last sequence of each handle. */
export type Heads = { readonly type: 'heads'; readonly request: number; readonly handles: readonly Handle[] };

/** Asks whose messages these numbers of an era are. */
export type Entries = {
  readonly type: 'entries';
  readonly request: number;
  readonly handle: Handle;
  readonly era: EraNumber;
  readonly numbers: readonly number[];
};

/** The device's heartbeat carries what it has committed. */
export type UpHeartbeat = { readonly type: 'heartbeat'; readonly committed?: Position };

/** What a device says to the relay. */
export type Up = Authenticate | Submit | DirectSubmit | Ack | Heads | Entries | UpHeartbeat;

export function encodeUpBatch(messages: readonly Up[], form: Form = 'binary'): Uint8Array {
  return encodeForm(
    UpBatchSchema,
    create(UpBatchSchema, { messages: messages.map((up) => ({ message: toShape(up) })) }),
    form,
  );
}

/** Refuses with `malformed` or `too_large`. A batch of none is malformed. */
export function decodeUpBatch(bytes: Uint8Array, form: Form = 'binary'): Up[] {
  return (form === 'binary' ? readUpBatch(bytes) : undefined) ?? decodeAnyUpBatch(bytes, form);
}

/** The same for every batch, with the generated code. */
function decodeAnyUpBatch(bytes: Uint8Array, form: Form): Up[] {
  const batch = decodeForm(UpBatchSchema, bytes, limits.batchMaxBytes, form);
  noUnknown(batch);
  toCount(batch.messages.length, 'batch');
  return atMost(batch.messages, limits.batchMaxMessages, 'batch').map((up) => {
    noUnknown(up);
    return fromShape(up.message);
  });
}

function toShape(up: Up): NonNullable<MessageInitShape<typeof UpSchema>['message']> {
  switch (up.type) {
    case 'authenticate': {
      const { device, token, generations, committed } = up;
      return {
        case: 'authenticate',
        value: {
          account: uuidToBytes(up.account),
          device,
          token,
          generations: [...generations],
          ...(committed && { committed: fromPosition(committed) }),
        },
      };
    }
    case 'submit': {
      const { request, n, attempt, oldest, floor, changeBase, body } = up;
      return {
        case: 'submit',
        value: {
          request,
          handle: fromHandle(up.handle),
          n,
          attempt,
          oldest,
          body,
          ...(floor && { floor: fromSequence(floor) }),
          ...(changeBase !== undefined && { changeBase: BigInt(changeBase) }),
        },
      };
    }
    case 'direct_submit': {
      const { request, attempt, body } = up;
      return { case: 'directSubmit', value: { request, attempt, body, messageId: uuidToBytes(up.messageId) } };
    }
    case 'ack':
      return { case: 'ack', value: { committed: fromPosition(up.committed) } };
    case 'heads':
      return { case: 'heads', value: { request: up.request, handles: up.handles.map(fromHandle) } };
    case 'entries': {
      const { request, era, numbers } = up;
      return {
        case: 'entries',
        value: { request, handle: fromHandle(up.handle), era: BigInt(era), numbers: numbers.map(BigInt) },
      };
    }
    case 'heartbeat':
      return { case: 'heartbeat', value: up.committed ? { committed: fromPosition(up.committed) } : {} };
  }
}

function fromShape(message: UpShape['message']): Up {
  if (message.case === undefined) return malformed('message of no known kind');
  noUnknown(message.value);
  switch (message.case) {
    case 'authenticate': {
      const { account, device, token, generations, committed } = message.value;
      refuseOver(token.length, limits.tokenMaxBytes, 'token');
      toCount(generations.length, 'generations');
      return {
        type: 'authenticate',
        account: accountIdFromBytes(account),
        device: parseDeviceId(device),
        token,
        generations: atMost(generations, limits.generationsKept, 'generations').map((g) =>
          exactly(g, 16, 'generation'),
        ),
        ...(committed && { committed: toPosition(committed) }),
      };
    }
    case 'submit': {
      const { request, handle, n, attempt, oldest, floor, changeBase, body } = message.value;
      return {
        type: 'submit',
        request,
        handle: toHandle(handle),
        n: toCount(n, 'n'),
        attempt,
        oldest: toCount(oldest, 'oldest') <= n ? oldest : malformed('oldest'),
        ...(floor && { floor: toSequence(floor) }),
        ...(changeBase !== undefined && { changeBase: toNumber(changeBase, 'change base') }),
        body,
      };
    }
    case 'directSubmit': {
      const { request, messageId, attempt, body } = message.value;
      return { type: 'direct_submit', request, messageId: messageIdFromBytes(messageId), attempt, body };
    }
    case 'ack':
      return { type: 'ack', committed: toPosition(required(message.value.committed, 'committed')) };
    case 'heads': {
      const handles = atMost(message.value.handles, limits.handlesPerHeads, 'handles').map(toHandle);
      return { type: 'heads', request: message.value.request, handles };
    }
    case 'entries': {
      const { request, handle, era, numbers } = message.value;
      return {
        type: 'entries',
        request,
        handle: toHandle(handle),
        era: parseEra(toNumber(era, 'era')),
        numbers: atMost(numbers, limits.numbersPerEntries, 'numbers').map((number) =>
          toCount(toNumber(number, 'number'), 'number'),
        ),
      };
    }
    case 'heartbeat': {
      const { committed } = message.value;
      return { type: 'heartbeat', ...(committed && { committed: toPosition(committed) }) };
    }
  }
}
