import type { UsernameFoundJson, UsernameJson } from '@waxwing/protocol';
import { Type } from 'typebox';
import type { Caller } from '../auth.ts';
import { parseBase64url } from '../base64url.ts';
import type { KeysApp, RouteDeps } from '../keys-app.ts';
import { verifyUsernameProof } from '../libsignal/username-proof.ts';
import { sendOutcome } from '../problem.ts';
import { answered, refused, type Outcome } from '../refusal.ts';
import { callerOf } from '../request-state.ts';
import { closed, emptyResponse, NoQuery, responses, UsernameBody, UsernameHash } from '../schema.ts';

const putSchema = {
  summary: "Gives the caller's account this username in place of the one it had",
  description:
    'The server sees the hash and a proof that whoever sent it knows a username with it. Repeating it changes nothing. An account takes five names, and then one more a day; asking for a name that another account has counts as a lookup.',
  querystring: NoQuery,
  body: UsernameBody,
  response: emptyResponse('Stored.'),
};

const lookupSchema = {
  summary: 'The account that has a username',
  querystring: NoQuery,
  body: Type.Object({ hash: UsernameHash }, closed),
  response: responses(200, 'Found.', Type.Object({ account: Type.String() })),
};

const deleteSchema = {
  summary: "Gives up the caller's username",
  description: 'Others can take it after 30 days. Repeating it changes nothing.',
  querystring: NoQuery,
  response: emptyResponse('The account has no username.'),
};

/** PUT /v1/username, POST /v1/usernames/lookup and DELETE /v1/username */
export function addUsernameRoutes(app: KeysApp, deps: RouteDeps): void {
  app.put('/v1/username', { schema: putSchema }, async (request, reply) =>
    sendOutcome(reply, await setUsername(deps, callerOf(request), request.body)),
  );

  app.post('/v1/usernames/lookup', { schema: lookupSchema }, async (request, reply) =>
    sendOutcome(reply, await lookUp(deps, callerOf(request), request.body.hash)),
  );

  app.delete('/v1/username', { schema: deleteSchema }, async (request, reply) => {
    await deps.storage.directory.removeUsername(callerOf(request).device.account);
    return sendOutcome(reply, answered(undefined));
  });
}

/**
 * Every name that is taken keeps the one before from others for `usernameRestMs`: so taking one is rated by the account. The
 * name that the account has costs nothing, and one that another has is told as a lookup tells it, at a lookup's rate.
 */
async function setUsername(deps: RouteDeps, caller: Caller, json: UsernameJson): Promise<Outcome<undefined>> {
  const { rates, storage } = deps;
  const { account } = caller.device;
  const hash = parseBase64url(json.hash, 'username hash');
  if (!verifyUsernameProof(hash, parseBase64url(json.proof, 'username proof'))) return refused('bad_proof');
  const holder = await storage.directory.findUsername(hash);
  if (holder === account) return answered(undefined);
  const waitMs = (holder === undefined ? rates.usernamesPerAccount : rates.lookupsPerCaller).take(account);
  if (waitMs > 0) return refused('rate_limited', { retryAfterMs: waitMs });
  const result = await storage.directory.setUsername(account, hash);
  return result === 'stored' ? answered(undefined) : refused(result);
}

async function lookUp(deps: RouteDeps, caller: Caller, text: string): Promise<Outcome<UsernameFoundJson>> {
  const hash = parseBase64url(text, 'username hash');
  const waitMs = deps.rates.lookupsPerCaller.take(caller.device.account);
  if (waitMs > 0) return refused('rate_limited', { retryAfterMs: waitMs });
  const account = await deps.storage.directory.findUsername(hash);
  return account === undefined ? refused('not_found') : answered({ account });
}
