import type { Handle } from '@waxwing/protocol';
import type { DeviceKey } from '../device-key.ts';

/**
 * Handles and mailboxes are spread over so many buckets. Each bucket is brought from the log into the tables on its own.
 * The number and the functions below are part of the file format: another spread needs a migration.
 */
const BUCKETS = 64;

export function bucketOfHandle(handle: Handle): number {
  return hash(handle, 2);
}

export function bucketOfDevice({ account, device }: DeviceKey): number {
  return (hash(account, account.length) + device) % BUCKETS;
}

function hash(text: string, length: number): number {
  let value = 0;
  for (let at = 0; at < length; at++) value = (value * 31 + text.charCodeAt(at)) % 0x1000000;
  return value % BUCKETS;
}
