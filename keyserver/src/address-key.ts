import { isIPv6 } from 'node:net';

/**
 * The key under which requests of an address are counted: the address, or the first 64 bits of an IPv6 address, since
 * whoever has one has the whole block. An IPv4 address counts the same in either notation.
 */
export function addressRateKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const block = [...left, ...zeros, ...right].slice(0, 4);
  return block.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}

function groups(part: string): string[] {
  return part === '' ? [] : part.split(':');
}
