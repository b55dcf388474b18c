import type { AccountId, DeviceList, ListedDevice, Mismatch, Recipient, RecipientDevice } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';

/** The newest list of an account, or undefined if there is no such account. */
export type NewestList = (account: AccountId) => DeviceList | undefined;

/** A named device, as its list has it. */
export type Addressed = { readonly key: DeviceKey; readonly named: RecipientDevice };

export type SetsOutcome =
  | { readonly type: 'fits'; readonly devices: readonly Addressed[] }
  | { readonly type: 'mismatch'; readonly mismatches: readonly Mismatch[] }
  | { readonly type: 'refused'; readonly code: 'bad_recipients' | 'unknown_recipient' };

/** A sequenced submit names all devices of each account, of the sender's own account all but the sending one. */
export function checkSequencedSets(
  sender: DeviceKey,
  recipients: readonly Recipient[],
  newest: NewestList,
): SetsOutcome {
  if (!recipients.some(({ account }) => account === sender.account)) return { type: 'refused', code: 'bad_recipients' };
  return checkSets(recipients, newest, (list) => {
    if (list.account !== sender.account) return { allowed: list.devices, required: list.devices };
    const others = list.devices.filter((device) => !isSender(device, sender));
    return { allowed: others, required: others };
  });
}

/** A direct submit may name some of an account's devices. */
export function checkDirectSets(recipients: readonly Recipient[], newest: NewestList): SetsOutcome {
  return checkSets(recipients, newest, ({ devices }) => ({ allowed: devices, required: [] }));
}

function isSender(device: ListedDevice, sender: DeviceKey): boolean {
  return device.device === sender.device && device.addedIn === sender.addedIn;
}

function checkSets(
  recipients: readonly Recipient[],
  newest: NewestList,
  rule: (list: DeviceList) => { readonly allowed: readonly ListedDevice[]; readonly required: readonly ListedDevice[] },
): SetsOutcome {
  const devices: Addressed[] = [];
  const mismatches: Mismatch[] = [];
  for (const recipient of recipients) {
    const list = newest(recipient.account);
    if (list === undefined) return { type: 'refused', code: 'unknown_recipient' };
    const { allowed, required } = rule(list);
    // An account has 127 devices at most and mostly one or two: looking through them is cheaper than an index.
    const missing = required.filter(({ device }) => !recipient.devices.some((named) => named.device === device));
    const extra: RecipientDevice[] = [];
    const stale: RecipientDevice[] = [];
    for (const device of recipient.devices) {
      const found = allowed.find((listed) => listed.device === device.device);
      if (found === undefined) extra.push(device);
      else if (found.registrationId !== device.registrationId) stale.push(device);
      else {
        const key = { account: recipient.account, device: device.device, addedIn: found.addedIn };
        devices.push({ key, named: device });
      }
    }
    if (missing.length + extra.length + stale.length > 0) {
      mismatches.push({
        account: recipient.account,
        listVersion: list.version,
        missing: missing.map(({ device }) => device),
        extra: extra.map(({ device }) => device),
        stale: stale.map(({ device }) => device),
      });
    }
  }
  return mismatches.length > 0 ? { type: 'mismatch', mismatches } : { type: 'fits', devices };
}
