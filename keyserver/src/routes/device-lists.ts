import {
  decodeSignedDeviceList,
  limits,
  parseAccountId,
  readDeviceList,
  sameBytes,
  verifySuccessor,
  type DeviceListJson,
} from '@waxwing/protocol';
import type { StoredList } from '@waxwing/storage';
import { Type } from 'typebox';
import { parseBase64url, toBase64url } from '../base64url.ts';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { isAgreementKey } from '../libsignal/key-form.ts';
import { verifyIdentity } from '../libsignal/identity-signature.ts';
import { sendOutcome } from '../problem.ts';
import { answered, refused, type Outcome, type Refusal } from '../refusal.ts';
import { callerOf } from '../request-state.ts';
import { AccountIdText, closed, DeviceListBody, emptyResponse, NoQuery, responses } from '../schema.ts';

const getSchema = {
  summary: "An account's newest signed device list",
  params: Type.Object({ id: AccountIdText }, closed),
  querystring: NoQuery,
  response: responses(200, 'The list.', DeviceListBody),
};

const putSchema = {
  summary: "Replaces the caller's device list by its successor",
  description:
    'Compare-and-swap on the version: a list that does not follow the newest is refused. Devices that it leaves out lose their prekeys, mailbox and connection. Repeating it changes nothing.',
  querystring: NoQuery,
  body: DeviceListBody,
  response: emptyResponse('Stored.'),
};

/** GET /v1/accounts/{id}/device-list and PUT /v1/device-list */
export function addDeviceListRoutes(app: KeysApp, deps: RouteDeps): void {
  app.get('/v1/accounts/:id/device-list', { schema: getSchema }, async (request, reply) => {
    const stored = await deps.storage.directory.deviceList(parseAccountId(request.params.id));
    const outcome: Outcome<DeviceListJson> = stored
      ? answered({ deviceList: toBase64url(stored.signed) })
      : refused('not_found');
    return sendOutcome(reply, outcome);
  });

  app.put('/v1/device-list', { schema: putSchema, bodyLimit: limits.httpKeysBodyMaxBytes }, async (request, reply) => {
    const next = parseBase64url(request.body.deviceList, 'device list');
    return sendOutcome(reply, await putDeviceList(deps, callerOf(request).stored, next));
  });
}

async function putDeviceList(deps: RouteDeps, stored: StoredList, signed: Uint8Array): Promise<Outcome<undefined>> {
  const next = followingList(stored, signed);
  if (next.type === 'refused') return next;
  const result = await deps.storage.directory.putDeviceList(next.list);
  if (result.type === 'stale_version') return refused('stale_version');
  // What follows from the list is done again for a repeated one: the first try may have stopped here.
  if (result.removed.length > 0) deps.onDevicesRemoved?.(result.removed);
  await Promise.all(result.removed.map((device) => deps.storage.mailboxes.drop(device)));
  return answered(undefined);
}

/** The list, verified to be the stored one again or to follow it directly. */
function followingList(stored: StoredList, signed: Uint8Array): { type: 'follows'; list: StoredList } | Refusal {
  if (sameBytes(signed, stored.signed)) return { type: 'follows', list: stored };
  const next = decodeSignedDeviceList(signed);
  const read = readDeviceList(next);
  if (read.account === stored.list.account && read.version <= stored.list.version) return refused('stale_version');
  const list = verifySuccessor(decodeSignedDeviceList(stored.signed), next, verifyIdentity);
  if (!isAgreementKey(list.identityKey)) return refused('bad_key', { detail: 'identity key' });
  return { type: 'follows', list: { signed, list } };
}
