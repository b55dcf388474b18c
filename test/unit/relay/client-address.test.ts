import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createClientAddress } from '../../../relay/src/client-address.ts';

function from(remoteAddress: string, forwarded?: string): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return request;
}

describe('the address of a client', () => {
  it('is the socket’s, whatever a stranger says in X-Forwarded-For', () => {
    const addressOf = createClientAddress([]);
    expect(addressOf(from('203.0.113.9', '198.51.100.1'))).toBe('203.0.113.9');
    expect(createClientAddress(['10.0.0.0/8'])(from('203.0.113.9', '198.51.100.1'))).toBe('203.0.113.9');
  });

  it('behind a trusted proxy is the last one that is no proxy, so that a client cannot choose it', () => {
    const addressOf = createClientAddress(['10.0.0.0/8', '2001:db8::/32']);
    expect(addressOf(from('10.1.2.3', '198.51.100.1'))).toBe('198.51.100.1');
    expect(addressOf(from('10.1.2.3', '1.1.1.1, 198.51.100.1, 10.9.9.9'))).toBe('198.51.100.1');
    expect(addressOf(from('2001:db8::1', '198.51.100.1'))).toBe('198.51.100.1');
  });

  it('is the proxy’s own where it names none, or no address', () => {
    const addressOf = createClientAddress(['10.0.0.0/8']);
    expect(addressOf(from('10.1.2.3'))).toBe('10.1.2.3');
    expect(addressOf(from('10.1.2.3', 'unknown'))).toBe('10.1.2.3');
    expect(addressOf(from('10.1.2.3', '10.0.0.1'))).toBe('10.1.2.3');
  });

  it('over IPv6 is the subscriber’s network, in one spelling, and an IPv4 address stays itself', () => {
    const addressOf = createClientAddress([]);
    const network = addressOf(from('2001:db8:1:2:3:4:5:6'));
    expect(network).toBe('2001:db8:1:2::/64');
    expect(addressOf(from('2001:DB8:1:2::6'))).toBe(network);
    expect(addressOf(from('2001:db8:1:3::6'))).not.toBe(network);
    expect(addressOf(from('2001:db8::6'))).toBe('2001:db8:0:0::/64');
    expect(addressOf(from('::1'))).toBe('0:0:0:0::/64');
    expect(addressOf(from('::ffff:203.0.113.9'))).toBe('203.0.113.9');
  });

  it('cannot be set up with something that is no network', () => {
    expect(() => createClientAddress(['everyone'])).toThrow('not a network');
  });
});
