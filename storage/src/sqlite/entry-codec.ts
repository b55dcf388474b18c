import { accountIdFromBytes, parseDeviceId, type AccountId } from '@waxwing/protocol';
import { isSameDevice } from '../device-key.ts';
import type { HeldEntry } from '../engine/records.ts';
import { createByteReader, createByteWriter, type ByteReader, type ByteWriter } from './byte-codec.ts';

/** An entry with its number in the era. */
export type NumberedEntry = { readonly number: number; readonly entry: HeldEntry };

/** Sender and accounts are mostly those of the entry before, and then only a mark says so. */
const SAME = 0;
const OTHERS = 1;

const writer = createByteWriter();

/** Entries of one era as one column. The bytes hold until the next call. */
export function encodeEntries(entries: readonly NumberedEntry[]): Uint8Array {
  writer.cutTo(0);
  let before: HeldEntry | undefined;
  for (const { number, entry } of entries) {
    writer.number(number);
    writer.number(entry.n);
    writer.number(entry.committedMs);
    if (before && isSameDevice(entry.sender, before.sender) && isSameList(entry.accounts, before.accounts)) {
      writer.number(SAME);
    } else {
      writer.number(OTHERS);
      writeNames(writer, entry);
    }
    before = entry;
  }
  return writer.finish();
}

/** Throws on bytes that `encodeEntries` has not made. */
export function decodeEntries(bytes: Uint8Array): NumberedEntry[] {
  const reader = createByteReader(bytes);
  const entries: NumberedEntry[] = [];
  while (!reader.atEnd) {
    const [number, n, committedMs, isSame] = [reader.number(), reader.number(), reader.number(), reader.number()];
    const names = isSame === SAME ? entries.at(-1)?.entry : readNames(reader);
    if (names === undefined) throw new RangeError('no entry is before the first');
    entries.push({ number, entry: { sender: names.sender, n, accounts: names.accounts, committedMs } });
  }
  return entries;
}

type Names = Pick<HeldEntry, 'sender' | 'accounts'>;

function writeNames(to: ByteWriter, { sender, accounts }: Names): void {
  to.uuid(sender.account);
  to.number(sender.device);
  to.number(sender.addedIn);
  to.number(accounts.length);
  for (const account of accounts) to.uuid(account);
}

function readNames(reader: ByteReader): Names {
  const account = accountIdFromBytes(reader.fixed(16));
  const sender = { account, device: parseDeviceId(reader.number()), addedIn: reader.number() };
  const accounts = Array.from({ length: reader.number() }, () => accountIdFromBytes(reader.fixed(16)));
  return { sender, accounts };
}

function isSameList(a: readonly AccountId[], b: readonly AccountId[]): boolean {
  return a.length === b.length && a.every((account, place) => account === b[place]);
}
