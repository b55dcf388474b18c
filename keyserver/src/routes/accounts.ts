import {
  decodeSignedDeviceList,
  limits,
  readDeviceList,
  sameBytes,
  sha256,
  verifyDeviceList,
  type RegisteredJson,
  type RegisterJson,
} from '@waxwing/protocol';
import type { NewAccount, Ticket } from '@waxwing/storage';
import { Type } from 'typebox';
import { addressRateKey } from '../address-key.ts';
import { parseBase64url, toBase64url } from '../base64url.ts';
import { createIdempotentAnswers } from '../idempotent-answers.ts';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { isAgreementKey } from '../libsignal/key-form.ts';
import { verifyIdentity } from '../libsignal/identity-signature.ts';
import { verifyUsernameProof } from '../libsignal/username-proof.ts';
import { verifyUpload } from '../prekey-upload.ts';
import { sendOutcome } from '../problem.ts';
import { answered, refused, type Outcome, type Refusal } from '../refusal.ts';
import { bodyOf } from '../request-state.ts';
import {
  closed,
  DeviceListText,
  IdempotencyHeaders,
  NoQuery,
  OneTimeKeys,
  OneTimeKyberKeys,
  responses,
  SignedKey,
  UsernameBody,
} from '../schema.ts';

const Register = Type.Object(
  {
    deviceList: DeviceListText,
    prekeys: Type.Object(
      {
        signedPrekey: SignedKey,
        lastResortKyber: SignedKey,
        oneTimeKeys: OneTimeKeys,
        oneTimeKyberKeys: OneTimeKyberKeys,
      },
      closed,
    ),
    username: Type.Optional(UsernameBody),
  },
  closed,
);

const Registered = Type.Object({
  account: Type.String(),
  device: Type.Integer(),
  listVersion: Type.Integer(),
});

const schema = {
  summary: 'Creates an account with its first device, list version 1 and prekeys',
  description:
    "Open to anybody, or by a ticket of the app's own backend, as the server is set up. A ticket lets in one account. Repeating a registration with the same list gives the same answer, changes nothing and needs no ticket.",
  security: [],
  headers: Type.Object({
    ...IdempotencyHeaders.properties,
    'waxwing-ticket': Type.Optional(
      Type.String({
        maxLength: limits.ticketMaxBytes,
        description: 'A JWT (EdDSA or ES256, with kid) with the claims iss, aud, iat, exp and jti.',
      }),
    ),
  }),
  querystring: NoQuery,
  body: Register,
  response: responses(201, 'The account is there, created now or by an earlier try.', Registered),
};

/** POST /v1/accounts */
export function addAccountRoutes(app: KeysApp, deps: RouteDeps): void {
  const answers = createIdempotentAnswers<RegisteredJson>(deps.clock, () => 0);

  app.post('/v1/accounts', { schema, bodyLimit: limits.httpKeysBodyMaxBytes }, async (request, reply) => {
    const waitMs = deps.rates.registrationsPerAddress.take(addressRateKey(request.ip));
    if (waitMs > 0) return sendOutcome(reply, refused('rate_limited', { retryAfterMs: waitMs }));
    const bodyHash = toBase64url(sha256(bodyOf(request)));
    const { 'idempotency-key': key, 'waxwing-ticket': ticket } = request.headers;
    return sendOutcome(
      reply,
      await answers.once('accounts', key, bodyHash, () => register(deps, request.body, ticket)),
      201,
    );
  });
}

async function register(
  deps: RouteDeps,
  json: RegisterJson,
  ticketText: string | undefined,
): Promise<Outcome<RegisteredJson>> {
  const admitted = await admit(deps, json, ticketText);
  if (admitted.type === 'refused') return admitted;
  const account = verifyRegistration(json);
  if (account.type === 'refused') return account;
  const { ticket } = admitted;
  const result = await deps.storage.directory.register({ ...account.account, ...(ticket && { ticket }) });
  switch (result) {
    case 'created':
    case 'same': {
      const { list } = account.account.list;
      const device = list.devices[0]?.device ?? 0;
      return answered({ account: list.account, device, listVersion: list.version });
    }
    case 'account_exists':
    case 'ticket_used':
    case 'username_taken':
    case 'key_conflict':
      return refused(result);
  }
}

/** Before any key is verified. A registration that was made is let in again: its ticket is used up, and may be past its time. */
async function admit(
  { storage, checkTicket }: RouteDeps,
  json: RegisterJson,
  ticketText: string | undefined,
): Promise<{ readonly type: 'admitted'; readonly ticket?: Ticket } | Refusal> {
  if (!checkTicket) return { type: 'admitted' };
  const signed = parseBase64url(json.deviceList, 'device list');
  const stored = await storage.directory.deviceList(readDeviceList(decodeSignedDeviceList(signed)).account);
  if (stored && sameBytes(stored.signed, signed)) return { type: 'admitted' };
  const checked = await checkTicket(ticketText);
  return checked.type === 'refused' ? checked : { type: 'admitted', ticket: checked.ticket };
}

function verifyRegistration(json: RegisterJson): { type: 'verified'; account: NewAccount } | Refusal {
  const signed = parseBase64url(json.deviceList, 'device list');
  const signedList = decodeSignedDeviceList(signed);
  const list = verifyDeviceList(signedList, readDeviceList(signedList).account, verifyIdentity);
  if (list.version !== 1) return refused('bad_device_list', { detail: 'version' });
  if (list.devices.length !== 1) return refused('bad_device_list', { detail: 'devices' });
  if (signedList.previousSignature) return refused('bad_device_list', { detail: 'previous signature' });
  if (!isAgreementKey(list.identityKey)) return refused('bad_key', { detail: 'identity key' });
  const upload = verifyUpload(json.prekeys, list.identityKey);
  if (upload.type === 'refused') return upload;
  const account = { list: { signed, list }, prekeys: upload.keys };
  if (!json.username) return { type: 'verified', account };
  const usernameHash = parseBase64url(json.username.hash, 'username hash');
  const proof = parseBase64url(json.username.proof, 'username proof');
  if (!verifyUsernameProof(usernameHash, proof)) return refused('bad_proof');
  return { type: 'verified', account: { ...account, usernameHash } };
}
