import {
  deviceListHash,
  encodeSignedDeviceList,
  handleFromBytes,
  parseAccountId,
  parseDeviceId,
  parseMessageId,
  sha256,
  signDeviceList,
  decodeSignedDeviceList,
  type AccountId,
  type DeviceList,
  type Handle,
  type ListedDevice,
  type MessageId,
  type Recipient,
} from '@waxwing/protocol';
import type {
  DeviceKey,
  DirectSubmission,
  PrekeyUpload,
  SequencedSubmit,
  Storage,
  StoredList,
  SubmitResult,
} from '@waxwing/storage';
import type { World } from './contract.ts';

/** An account with its newest list. Signatures are zeros: a store does not verify them. */
export type Person = { readonly account: AccountId; readonly list: StoredList };

const noSignature = (): Uint8Array => new Uint8Array(64);

function storedList(list: DeviceList): StoredList {
  return { signed: encodeSignedDeviceList(signDeviceList(list, noSignature)), list };
}

export function accountNumber(n: number): AccountId {
  return parseAccountId(`00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`);
}

export function handleNamed(name: string): Handle {
  return handleFromBytes(sha256(name));
}

export function messageNumber(n: number): MessageId {
  return parseMessageId(`01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`);
}

/** A device's row; `salt` makes another device of the same id. */
export function listed(id: number, addedIn: number, salt = 0): ListedDevice {
  return {
    device: parseDeviceId(id),
    registrationId: 100 + id + 1_000 * salt,
    authKey: sha256(`auth ${id} ${salt}`),
    addedIn,
    encryptedName: new Uint8Array(0),
  };
}

export function firstList(account: AccountId, devices: readonly number[] = [1]): StoredList {
  return storedList({
    account,
    version: 1,
    previousHash: new Uint8Array(0),
    identityKey: Uint8Array.from([5, ...sha256(account).subarray(0, 31), 1]),
    identityGeneration: 1,
    devices: devices.map((id) => listed(id, 1)),
    createdAtMs: 1_760_000_000_000,
  });
}

/** The list that follows: with `devices` in place of those before. */
export function nextList(before: StoredList, devices: readonly ListedDevice[]): StoredList {
  return storedList({
    ...before.list,
    version: before.list.version + 1,
    previousHash: deviceListHash(decodeSignedDeviceList(before.signed)),
    devices,
  });
}

export const somePrekeys: PrekeyUpload = {
  signedPrekey: { id: 1, publicKey: sha256('signed'), signature: new Uint8Array(64) },
  lastResortKyber: { id: 1, publicKey: sha256('last resort'), signature: new Uint8Array(64) },
};

/** Registers account number `n`. Version 1 may name several devices here: a store does not care. */
export async function enrol(
  world: Pick<World, 'storage'>,
  n: number,
  devices: readonly number[] = [1],
): Promise<Person> {
  const account = accountNumber(n);
  const list = firstList(account, devices);
  await world.storage.directory.register({ list, prekeys: somePrekeys });
  return { account, list };
}

export async function relist(
  world: Pick<World, 'storage'>,
  person: Person,
  devices: readonly ListedDevice[],
): Promise<Person> {
  const list = nextList(person.list, devices);
  await world.storage.directory.putDeviceList(list);
  return { account: person.account, list };
}

/** The key of a listed device. */
export function keyOf(person: Person, id = 1): DeviceKey {
  const found = person.list.list.devices.find(({ device }) => device === id);
  if (found === undefined) throw new Error(`device ${id} is not listed`);
  return { account: person.account, device: found.device, addedIn: found.addedIn };
}

/** All devices of the person but `except`, each with a ciphertext that names the text, the account and the device. */
export function recipient(person: Person, text: string, except?: number): Recipient {
  const { version, devices } = person.list.list;
  return {
    account: person.account,
    listVersion: version,
    devices: devices
      .filter(({ device }) => device !== except)
      .map(({ device, registrationId }) => ({
        device,
        registrationId,
        kind: 'session',
        ciphertext: Buffer.from(`${text} for ${person.account.slice(-2)}.${device}`),
      })),
  };
}

export type Sending = Partial<Omit<SequencedSubmit, 'sender' | 'recipients'>> & {
  readonly from: Person;
  readonly device?: number;
  readonly to?: readonly Person[];
  readonly text?: string;
  readonly recipients?: readonly Recipient[];
};

/** A submit of n (1 if absent) to all of `to` and the sender's other devices. Same arguments, same digest. */
export function sending({ from, device = 1, to = [], text = 'hello', recipients, ...rest }: Sending): SequencedSubmit {
  const named = recipients ?? [recipient(from, text, device), ...to.map((person) => recipient(person, text))];
  const n = rest.n ?? 1;
  return {
    sender: keyOf(from, device),
    handle: handleNamed('handle'),
    n,
    attempt: 1,
    oldest: n,
    digest: sha256(JSON.stringify([text, named.map(({ account, devices }) => [account, devices.length])])),
    change: false,
    visible: true,
    urgent: false,
    recipients: named,
    ...rest,
  };
}

export type Directing = {
  readonly from: Person;
  readonly device?: number;
  readonly recipients: readonly Recipient[];
  readonly id?: number;
  readonly attempt?: number;
};

export function directing({ from, device = 1, recipients, id = 1, attempt = 1 }: Directing): DirectSubmission {
  const messageId = messageNumber(id);
  return { sender: keyOf(from, device), messageId, attempt, visible: false, urgent: false, recipients };
}

export type AcceptedResult = Extract<SubmitResult, { type: 'accepted' }>;

/** Submits and insists that it was accepted. */
export async function accepted(storage: Storage, submit: SequencedSubmit): Promise<AcceptedResult> {
  const result = await storage.mailboxes.submit(submit);
  if (result.type !== 'accepted') throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
}
