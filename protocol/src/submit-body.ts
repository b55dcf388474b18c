import { create, toBinary } from '@bufbuild/protobuf';
import { CiphertextKind as Kind, SubmitBodySchema } from './gen/waxwing/v1/wire_pb.ts';
import { accountIdFromBytes, parseDeviceId, uuidToBytes, type AccountId, type DeviceId } from './ids.ts';
import { limits } from './limits.ts';
import { atMost, decode, malformed, noUnknown, refuseOver, toCount } from './schema.ts';
import { ProtocolError } from './errors.ts';
import { readSubmitBody } from './submit-body-bytes.ts';

/** What kind of libsignal message a ciphertext is. */
export type CiphertextKind = 'session' | 'prekey' | 'sender_key';

/** One device's part of a submit. `ciphertext` is absent where the shared one is meant. */
export type RecipientDevice = {
  readonly device: DeviceId;
  readonly registrationId: number;
  readonly kind: CiphertextKind;
  readonly ciphertext?: Uint8Array;
};

/** The devices of one account, against its list of this version. */
export type Recipient = {
  readonly account: AccountId;
  readonly listVersion: number;
  readonly devices: readonly RecipientDevice[];
};

/** For whom a submit is, and what each gets. It travels as bytes; the digest of a submit is the SHA-256 of these bytes. */
export type SubmitBody = {
  readonly change: boolean;
  readonly visible: boolean;
  readonly urgent: boolean;
  readonly recipients: readonly Recipient[];
  readonly sharedCiphertext?: Uint8Array;
};

const kinds = { session: Kind.SESSION, prekey: Kind.PREKEY, sender_key: Kind.SENDER_KEY } as const;

export function fromCiphertextKind(kind: CiphertextKind): Kind {
  return kinds[kind];
}

export function toCiphertextKind(kind: Kind): CiphertextKind {
  switch (kind) {
    case Kind.SESSION:
      return 'session';
    case Kind.PREKEY:
      return 'prekey';
    case Kind.SENDER_KEY:
      return 'sender_key';
    default:
      return malformed('ciphertext kind');
  }
}

export function encodeSubmitBody(body: SubmitBody): Uint8Array {
  return toBinary(
    SubmitBodySchema,
    create(SubmitBodySchema, {
      change: body.change,
      visible: body.visible,
      urgent: body.urgent,
      recipients: body.recipients.map((recipient) => ({
        account: uuidToBytes(recipient.account),
        listVersion: recipient.listVersion,
        devices: recipient.devices.map((device) => ({
          device: device.device,
          registrationId: device.registrationId,
          kind: kinds[device.kind],
          ...(device.ciphertext && { ciphertext: device.ciphertext }),
        })),
      })),
      ...(body.sharedCiphertext && { sharedCiphertext: body.sharedCiphertext }),
    }),
  );
}

/**
 * Refuses, beside malformed bytes, an account or device named twice, a device with no ciphertext where none is shared
 * (`bad_recipients`), and anything over its limit (`too_large`). That the sender's account is named is the submit's rule.
 */
export function decodeSubmitBody(bytes: Uint8Array): SubmitBody {
  return readSubmitBody(bytes) ?? decodeAnySubmitBody(bytes);
}

/** The same for every body, with the generated code. */
function decodeAnySubmitBody(bytes: Uint8Array): SubmitBody {
  const message = decode(SubmitBodySchema, bytes, limits.batchMaxBytes);
  noUnknown(message);
  refuseOver(message.sharedCiphertext.length, limits.ciphertextMaxBytes, 'shared ciphertext');
  const shared = message.sharedCiphertext.length > 0;
  const recipients = atMost(message.recipients, limits.recipientsPerSubmit, 'recipients').map((recipient) => {
    noUnknown(recipient);
    const devices = atMost(recipient.devices, limits.devicesPerAccount, 'devices').map((device): RecipientDevice => {
      noUnknown(device);
      refuseOver(device.ciphertext.length, limits.ciphertextMaxBytes, 'ciphertext');
      if (device.ciphertext.length === 0 && !shared) throw new ProtocolError('bad_recipients', 'no ciphertext');
      return {
        device: parseDeviceId(device.device),
        registrationId: device.registrationId,
        kind: toCiphertextKind(device.kind),
        ...(device.ciphertext.length > 0 && { ciphertext: device.ciphertext }),
      };
    });
    refuseRepeats(devices.map((device) => device.device));
    return {
      account: accountIdFromBytes(recipient.account),
      listVersion: toCount(recipient.listVersion, 'list version'),
      devices,
    };
  });
  refuseRepeats(recipients.map((recipient) => recipient.account));
  const { change, visible, urgent, sharedCiphertext } = message;
  return { change, visible, urgent, recipients, ...(shared && { sharedCiphertext }) };
}

function refuseRepeats(ids: readonly (string | number)[]): void {
  if (new Set(ids).size !== ids.length) throw new ProtocolError('bad_recipients', 'named twice');
}
