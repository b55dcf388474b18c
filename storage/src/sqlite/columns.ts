import {
  accountIdFromBytes,
  parseDeviceId,
  parseEra,
  uuidToBytes,
  type AccountId,
  type Sequence,
} from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';

/** A row as better-sqlite3 gives it. Columns are read with the functions below, which throw on what the schema excludes. */
export type Row = Readonly<Record<string, unknown>>;

/** The row that a statement found. */
export function toRow(value: unknown): Row | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

export function number(row: Row, column: string): number {
  const value = row[column];
  return typeof value === 'number' ? value : wrong(column);
}

export function optionalNumber(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : number(row, column);
}

export function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : wrong(column);
}

export function blob(row: Row, column: string): Uint8Array {
  const value = row[column];
  return value instanceof Uint8Array ? value : wrong(column);
}

export function optionalBlob(row: Row, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : blob(row, column);
}

export function account(row: Row, column = 'account'): AccountId {
  return accountIdFromBytes(blob(row, column));
}

/** From the columns account, device and added_in, with `prefix` before each. */
export function deviceKey(row: Row, prefix = ''): DeviceKey {
  return {
    account: account(row, `${prefix}account`),
    device: parseDeviceId(number(row, `${prefix}device`)),
    addedIn: number(row, `${prefix}added_in`),
  };
}

/** The parameters of the three columns of a device key. */
export function deviceParameters(key: DeviceKey): [Uint8Array, number, number] {
  return [uuidToBytes(key.account), key.device, key.addedIn];
}

export function sequence(row: Row, era: string, place: string): Sequence {
  return { era: parseEra(number(row, era)), number: number(row, place) };
}

function wrong(column: string): never {
  throw new TypeError(`column ${column} is not what the schema says`);
}
