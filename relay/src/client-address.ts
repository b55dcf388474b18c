import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/**
 * Says who a request comes from, as a key for limits: an IPv4 address, or the /64 of an IPv6 one, since that is what one
 * subscriber has. `X-Forwarded-For` is believed only from an address in `trusted` (CIDR), and then read from the right
 * up to the first address that is not trusted. Never logged or stored.
 */
export function createClientAddress(trusted: readonly string[]): (request: IncomingMessage) => string {
  const proxies = new BlockList();
  for (const cidr of trusted) {
    const [network = '', prefix] = cidr.split('/');
    const family = familyOf(network);
    if (!family) throw new RangeError(`not a network: ${cidr}`);
    proxies.addSubnet(network, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  const isProxy = (address: string): boolean => {
    const family = familyOf(address);
    return family !== undefined && proxies.check(address, family);
  };
  return (request) => {
    const direct = plain(request.socket.remoteAddress ?? '');
    if (trusted.length === 0 || !isProxy(direct)) return subscriber(direct);
    const header = request.headers['x-forwarded-for'];
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map((hop) => plain(hop.trim()));
    const client = hops.findLast((hop) => !isProxy(hop));
    return subscriber(client !== undefined && familyOf(client) ? client : direct);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6';
}

/** An IPv4 address that came over an IPv6 socket, as itself. */
function plain(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}

function subscriber(address: string): string {
  if (familyOf(address) !== 'ipv6') return address;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  const groups = tail === undefined ? left : [...left, ...zeros, ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
