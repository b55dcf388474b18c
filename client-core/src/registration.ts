import {
  encodeSignedDeviceList,
  limits,
  parseAccountId,
  parseDeviceId,
  readDeviceList,
  signDeviceList,
  type DeviceAddress,
  type RegisterJson,
} from '@waxwing/protocol';
import { v4 } from 'uuid';
import { WaxwingError } from './errors.ts';
import type { DeviceRow } from './history/device.ts';
import type { Store } from './history/store.ts';
import type { Runtime } from './runtime.ts';
import type { LocalKeys } from './session/crypto.ts';
import type { KeyserverClient } from './transport/keyserver-client.ts';

const FIRST_DEVICE = parseDeviceId(1);
const TRIES = 5;

/** Makes an account's keys, its first device and list, and the request that registers them; durable before it is sent. */
export function prepareAccount(store: Store, runtime: Runtime, o: { server: string; username?: string }): DeviceRow {
  const { crypto, clock, randomBytes } = runtime;
  const nowMs = clock.now();
  const account = parseAccountId(v4({ random: randomBytes(16) }));
  const address: DeviceAddress = { account, device: FIRST_DEVICE };
  const identity = crypto.createIdentity();
  const auth = crypto.createAuthKeys();
  const local: LocalKeys = {
    address,
    registrationId: crypto.createRegistrationId(),
    identityKeyPair: identity.keyPair,
  };
  const signed = signDeviceList(
    {
      account,
      version: 1,
      previousHash: new Uint8Array(0),
      identityKey: identity.publicKey,
      identityGeneration: 1,
      devices: [
        {
          device: address.device,
          registrationId: local.registrationId,
          authKey: auth.publicKey,
          addedIn: 1,
          encryptedName: new Uint8Array(0),
        },
      ],
      createdAtMs: nowMs,
    },
    (message) => crypto.signIdentity(identity.keyPair, message),
  );
  const repeated = crypto.createRepeatedKeys(local, 1, nowMs);
  const oneTime = crypto.createOneTimeKeys(local, 2, limits.oneTimeKeysPerUpload, nowMs);
  const username = o.username === undefined ? undefined : crypto.usernameProof(o.username);
  if (o.username !== undefined && username === undefined) throw new WaxwingError('bad_username');
  const request: RegisterJson = {
    deviceList: Buffer.from(encodeSignedDeviceList(signed)).toString('base64url'),
    prekeys: { ...repeated.upload, ...oneTime.upload },
    ...(username && { username }),
  };
  store.transaction(() => {
    store.device.insert({
      server: o.server,
      account,
      device: address.device,
      registrationId: local.registrationId,
      identityKeyPair: identity.keyPair,
      identityPublicKey: identity.publicKey,
      authSecretKey: auth.secretKey,
      username: o.username ?? null,
      registration: Buffer.from(JSON.stringify(request)),
      nextPrekeyId: 2 + limits.oneTimeKeysPerUpload,
      repeatedKeysAtMs: nowMs,
    });
    store.crypto.write([...repeated.changes, ...oneTime.changes]);
    store.lists.put({ signed, list: readDeviceList(signed) });
  });
  const row = store.device.get();
  if (row === undefined) throw new TypeError('a device was not kept');
  return row;
}

/**
 * Sends the registration, and again where no answer came or a fresh ticket may help. Refused for good, the file is empty again and this rejects
 * with the code; without a clear answer, the file keeps the registration, for the next `createClient` to finish.
 */
export async function register(
  store: Store,
  runtime: Runtime,
  keyserver: KeyserverClient,
  device: DeviceRow,
  askTicket?: () => Promise<string>,
): Promise<void> {
  if (device.registration === null) return;
  const request = parseRegistration(device.registration);
  let refused: string | undefined;
  for (let tried = 1; ; tried++) {
    const ticket = askTicket && (await freshTicket(askTicket));
    // No ticket is sent twice that was found old or used.
    if (ticket !== undefined && ticket === refused) throw new WaxwingError('no_ticket');
    const answer = await keyserver.register(request, device.account, ticket);
    if (answer.ok) {
      store.transaction(() => store.device.registered());
      return;
    }
    if (answer.code === 'ticket_expired' || answer.code === 'ticket_used') refused = ticket;
    const error = new WaxwingError(
      answer.code,
      answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs },
    );
    // Whoever cannot tell whether it is registered keeps its keys: it may be.
    if (!error.retryable) store.transaction(() => store.device.forget());
    if (!error.retryable || tried === TRIES) throw error;
    const delayMs = answer.retryAfterMs ?? limits.reconnectFirstMs * tried;
    await new Promise<void>((resolve) => void runtime.timers.after(delayMs, resolve));
  }
}

/** A ticket as a header can carry it. Rejects with `no_ticket`, and the app's error as its cause. */
async function freshTicket(ask: () => Promise<string>): Promise<string> {
  const ticket = await Promise.resolve()
    .then(ask)
    .catch((cause: unknown) => {
      throw new WaxwingError('no_ticket', { cause });
    });
  if (!/^[\x21-\x7e]+$/.test(ticket)) throw new WaxwingError('no_ticket');
  return ticket;
}

/** The request as this file wrote it. */
function parseRegistration(bytes: Uint8Array): RegisterJson {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString());
  if (!isRegistration(value)) throw new TypeError('the kept registration is not one');
  return value;
}

function isRegistration(value: unknown): value is RegisterJson {
  return typeof value === 'object' && value !== null && 'deviceList' in value && 'prekeys' in value;
}
