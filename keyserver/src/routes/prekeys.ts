import { limits, sha256, type PrekeysJson } from '@waxwing/protocol';
import type { PrekeyStore } from '@waxwing/storage';
import { Type } from 'typebox';
import type { Caller } from '../auth.ts';
import { toBase64url } from '../base64url.ts';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { verifyUpload } from '../prekey-upload.ts';
import { sendOutcome } from '../problem.ts';
import { answered, refused, type Outcome } from '../refusal.ts';
import { callerOf } from '../request-state.ts';
import {
  base64url,
  closed,
  emptyResponse,
  NoQuery,
  OneTimeKeys,
  OneTimeKyberKeys,
  responses,
  SignedKey,
} from '../schema.ts';

const Prekeys = Type.Object(
  {
    signedPrekey: Type.Optional(SignedKey),
    lastResortKyber: Type.Optional(SignedKey),
    oneTimeKeys: Type.Optional(OneTimeKeys),
    oneTimeKyberKeys: Type.Optional(OneTimeKyberKeys),
  },
  closed,
);

const putSchema = {
  summary: "Publishes the calling device's prekeys",
  description:
    'Adds one-time keys and replaces the others, all or nothing. What is absent stays as it is; the first upload of a device must have the signed prekey and the last-resort Kyber key. Repeating it changes nothing.',
  querystring: NoQuery,
  body: Prekeys,
  response: emptyResponse('Stored.'),
};

const countSchema = {
  summary: "How many of the calling device's one-time keys are left to hand out",
  querystring: NoQuery,
  response: responses(
    200,
    'The counts.',
    Type.Object({ oneTimeKeys: Type.Integer(), oneTimeKyberKeys: Type.Integer() }),
  ),
};

const checkSchema = {
  summary: "Whether the server holds the calling device's repeated keys as the device does",
  querystring: NoQuery,
  body: Type.Object({ digest: base64url(43, 'SHA-256') }, closed),
  response: responses(200, 'The comparison.', Type.Object({ same: Type.Boolean() })),
};

/** PUT /v1/prekeys, GET /v1/prekeys/count and POST /v1/prekeys/check */
export function addPrekeyRoutes(app: KeysApp, deps: RouteDeps): void {
  const { prekeys } = deps.storage;

  app.put('/v1/prekeys', { schema: putSchema, bodyLimit: limits.httpKeysBodyMaxBytes }, async (request, reply) =>
    sendOutcome(reply, await publish(prekeys, callerOf(request), request.body)),
  );

  app.get('/v1/prekeys/count', { schema: countSchema }, async (request, reply) =>
    sendOutcome(reply, answered(await prekeys.count(callerOf(request).device))),
  );

  app.post('/v1/prekeys/check', { schema: checkSchema }, async (request, reply) => {
    const digest = await repeatedDigest(prekeys, callerOf(request));
    return sendOutcome(reply, answered({ same: digest === request.body.digest }));
  });
}

async function publish(prekeys: PrekeyStore, caller: Caller, json: PrekeysJson): Promise<Outcome<undefined>> {
  const upload = verifyUpload(json, caller.stored.list.identityKey);
  if (upload.type === 'refused') return upload;
  const { signedPrekey, lastResortKyber } = upload.keys;
  if ((!signedPrekey || !lastResortKyber) && !(await prekeys.repeated(caller.device))) {
    return refused('malformed', { detail: 'first upload without signed prekey or last-resort Kyber key' });
  }
  const result = await prekeys.publish(caller.device, upload.keys);
  switch (result) {
    case 'stored':
      return answered(undefined);
    case 'key_conflict':
      return refused('key_conflict');
    case 'too_many':
      return refused('too_large', { detail: 'one-time keys in all' });
  }
}

/** As PrekeyCheckJson says; undefined for a device that never published. */
async function repeatedDigest(prekeys: PrekeyStore, caller: Caller): Promise<string | undefined> {
  const repeated = await prekeys.repeated(caller.device);
  if (!repeated) return undefined;
  const { signedPrekey, lastResortKyber } = repeated;
  const parts = [signedPrekey, lastResortKyber].flatMap(({ id, publicKey }) => [idBytes(id), publicKey]);
  return toBase64url(sha256(caller.stored.list.identityKey, ...parts));
}

function idBytes(id: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(id);
  return bytes;
}
