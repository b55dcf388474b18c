import {
  limits,
  parseAccountId,
  type AccountBundlesJson,
  type AccountId,
  type BundlesJson,
  type DeviceBundleJson,
} from '@waxwing/protocol';
import { deviceKeyText, type DeviceKey, type SignedKey, type StoredList } from '@waxwing/storage';
import { Type } from 'typebox';
import type { Caller } from '../auth.ts';
import { toBase64url } from '../base64url.ts';
import { createIdempotentAnswers } from '../idempotent-answers.ts';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { sendOutcome } from '../problem.ts';
import { answered, refused, type Outcome } from '../refusal.ts';
import { callerOf } from '../request-state.ts';
import {
  AccountIdText,
  closed,
  DeviceListText,
  IdempotencyHeaders,
  NoQuery,
  OneTimeKey,
  responses,
  SignedKey as SignedKeySchema,
} from '../schema.ts';
import { createSpentTokens } from '../spent-tokens.ts';

const BundlesRequest = Type.Object(
  { accounts: Type.Array(AccountIdText, { minItems: 1, maxItems: limits.accountsPerBundles }) },
  closed,
);

const DeviceBundle = Type.Object({
  device: Type.Integer(),
  registrationId: Type.Integer(),
  signedPrekey: SignedKeySchema,
  kyberKey: SignedKeySchema,
  oneTimeKey: Type.Optional(OneTimeKey),
});
const AccountBundles = Type.Object({
  account: Type.String(),
  deviceList: DeviceListText,
  devices: Type.Array(DeviceBundle),
});
const Bundles = Type.Object({ bundles: Type.Array(AccountBundles) });

const schema = {
  summary: 'One prekey bundle per device of each account',
  description:
    'Takes one-time keys. A token is good for one such request; a repeat needs a fresh one, or the same Idempotency-Key. Accounts that do not exist are left out, and so are devices that have not published yet. Above the rate of a pair the bundles come without one-time keys. Accounts with more than 1,000 devices together are refused with too_large: ask for fewer at a time.',
  headers: IdempotencyHeaders,
  querystring: NoQuery,
  body: BundlesRequest,
  response: responses(200, 'Bundles in the order asked.', Bundles),
};

/** Base64url text of a device's bundle, with both Kyber parts: about so many bytes. */
const BUNDLE_BYTES = 3_000;

/** POST /v1/bundles */
export function addBundleRoutes(app: KeysApp, deps: RouteDeps): void {
  const answers = createIdempotentAnswers<BundlesJson>(deps.clock, weigh);
  const spentTokens = createSpentTokens(deps.clock);

  app.post('/v1/bundles', { schema }, async (request, reply) => {
    const caller = callerOf(request);
    const work = (): Promise<Outcome<BundlesJson>> => {
      switch (spentTokens.spend(caller.tokenHash)) {
        case 'spent':
          return Promise.resolve(refused('token_replayed'));
        case 'full':
          return Promise.resolve(refused('unavailable'));
        case 'fresh':
          return takeBundles(deps, caller, request.body.accounts);
      }
    };
    const key = request.headers['idempotency-key'];
    return sendOutcome(reply, await answers.once(deviceKeyText(caller.device), key, caller.requestHash, work));
  });
}

async function takeBundles(deps: RouteDeps, caller: Caller, asked: readonly string[]): Promise<Outcome<BundlesJson>> {
  const accounts = [...new Set(asked.map(parseAccountId))];
  const lists = await Promise.all(accounts.map((account) => deps.storage.directory.deviceList(account)));
  // An account that does not exist counts as one bundle, or guessing would be free.
  const cost = lists.reduce((sum, stored) => sum + (stored?.list.devices.length ?? 1), 0);
  if (cost > limits.bundlesPerAnswer) return refused('too_large', { detail: 'bundles in one answer' });
  const waitMs = deps.rates.bundlesPerCaller.take(caller.device.account, cost);
  if (waitMs > 0) return refused('rate_limited', { retryAfterMs: waitMs });
  const bundles = lists.flatMap((stored) => (stored ? [takeAccount(deps, caller.device.account, stored)] : []));
  return answered({ bundles: await Promise.all(bundles) });
}

async function takeAccount(deps: RouteDeps, caller: AccountId, stored: StoredList): Promise<AccountBundlesJson> {
  const { account, devices } = stored.list;
  const oneTime = deps.rates.takesPerPair.take(`${caller}>${account}`) === 0;
  const taken = await Promise.all(
    devices.map(({ device, addedIn, registrationId }) =>
      takeDevice(deps, { account, device, addedIn }, registrationId, oneTime),
    ),
  );
  return {
    account,
    deviceList: toBase64url(stored.signed),
    devices: taken.filter((bundle) => bundle !== undefined),
  };
}

async function takeDevice(
  deps: RouteDeps,
  device: DeviceKey,
  registrationId: number,
  oneTime: boolean,
): Promise<DeviceBundleJson | undefined> {
  const keys = await deps.storage.prekeys.take(device, { oneTime });
  if (!keys) return undefined;
  const { signedPrekey, kyberKey, oneTimeKey } = keys;
  return {
    device: device.device,
    registrationId,
    signedPrekey: signedJson(signedPrekey),
    kyberKey: signedJson(kyberKey),
    ...(oneTimeKey && { oneTimeKey: { id: oneTimeKey.id, publicKey: toBase64url(oneTimeKey.publicKey) } }),
  };
}

function signedJson({ id, publicKey, signature }: SignedKey) {
  return { id, publicKey: toBase64url(publicKey), signature: toBase64url(signature) };
}

function weigh({ bundles }: BundlesJson): number {
  return bundles.reduce((sum, { deviceList, devices }) => sum + deviceList.length + devices.length * BUNDLE_BYTES, 0);
}
