import { limits } from '@waxwing/protocol';
import { Type, type TSchema } from 'typebox';
import { base64urlLength } from './base64url.ts';

/** Wide enough for every key and signature: a wrong length is the handler's `bad_key`, not a question of form. */
const KEY_MAX_CHARS = base64urlLength(2_048);

export const closed = { additionalProperties: false } as const;

export function base64url(maxChars: number, description: string) {
  return Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: maxChars, description });
}

export const NoQuery = Type.Object({}, closed);
export const AccountIdText = Type.String({ pattern: '^[0-9A-Fa-f-]{36}$', maxLength: 36, description: 'A UUID.' });

/** libsignal's prekey ids are unsigned 32-bit numbers; 0 is not used. */
const PrekeyId = Type.Integer({ minimum: 1, maximum: 0xffff_ffff });
export const OneTimeKey = Type.Object({ id: PrekeyId, publicKey: base64url(KEY_MAX_CHARS, '33 bytes') }, closed);
export const SignedKey = Type.Object(
  {
    id: PrekeyId,
    publicKey: base64url(KEY_MAX_CHARS, '33 bytes, or 1,569 of Kyber-1024'),
    signature: base64url(KEY_MAX_CHARS, '64 bytes, by the identity key, over the public key'),
  },
  closed,
);
export const OneTimeKeys = Type.Array(OneTimeKey, { maxItems: limits.oneTimeKeysPerUpload });
export const OneTimeKyberKeys = Type.Array(SignedKey, { maxItems: limits.oneTimeKeysPerUpload });

export const DeviceListText = base64url(base64urlLength(limits.deviceListMaxBytes), 'A SignedDeviceList');
export const DeviceListBody = Type.Object({ deviceList: DeviceListText }, closed);

export const UsernameHash = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', maxLength: 43, description: '32 bytes' });
export const UsernameBody = Type.Object(
  {
    hash: UsernameHash,
    proof: Type.String({ pattern: '^[A-Za-z0-9_-]{171}$', maxLength: 171, description: '128 bytes' }),
  },
  closed,
);

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]+$',
      maxLength: limits.idempotencyKeyMaxBytes,
      description: 'The same key and body give the same answer for 60 s.',
    }),
  ),
});

const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'A code of the error table.' }),
  retryable: Type.Boolean(),
  detail: Type.Optional(Type.String()),
});

const problem = {
  description: 'RFC 9457',
  content: { 'application/problem+json': { schema: Problem } },
};

const problems = { '4xx': problem, '5xx': problem };

/** The answers of a route: its own, or 204 without a body, and problems. */
export function responses(status: 200 | 201, description: string, schema: TSchema): Record<string, object> {
  return { [status]: { description, content: { 'application/json': { schema } } }, ...problems };
}

export function emptyResponse(description: string): Record<string, object> {
  return { 204: { ...Type.Null(), description }, ...problems };
}
