import {
  decodeSignedDeviceList,
  limits,
  readDeviceList,
  sha256,
  verifyDeviceList,
  type RegisteredJson,
  type RegisterJson,
} from '@waxwing/protocol';
import type { NewAccount } from '@waxwing/storage';
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
  description: 'Open to anybody. Repeating it with the same list gives the same answer and changes nothing.',
  security: [],
  headers: IdempotencyHeaders,
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
    const key = request.headers['idempotency-key'];
    return sendOutcome(reply, await answers.once('accounts', key, bodyHash, () => register(deps, request.body)), 201);
  });
}

async function register(deps: RouteDeps, json: RegisterJson): Promise<Outcome<RegisteredJson>> {
  const account = verifyRegistration(json);
  if (account.type === 'refused') return account;
  const result = await deps.storage.directory.register(account.account);
  switch (result) {
    case 'created':
    case 'same': {
      const { list } = account.account.list;
      const device = list.devices[0]?.device ?? 0;
      return answered({ account: list.account, device, listVersion: list.version });
    }
    case 'account_exists':
    case 'username_taken':
    case 'key_conflict':
      return refused(result);
  }
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
