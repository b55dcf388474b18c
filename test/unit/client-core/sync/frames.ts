import {
  encodeContent,
  encodeFrame,
  firstPrev,
  frameHash,
  frameKinds,
  parseAccountId,
  parseDeviceId,
  parseEra,
  parseHandle,
  parseMessageId,
  sha256,
  type DeviceAddress,
  type Handle,
  type Sequence,
} from '@waxwing/protocol';

export function handleOf(what: string): Handle {
  return parseHandle(Buffer.from(sha256(what)).toString('base64url'));
}

/** The only device of somebody. */
export function address(who: string, device = 1): DeviceAddress {
  const account = `00000000-0000-4000-8000-${Buffer.from(sha256(who)).toString('hex').slice(0, 12)}`;
  return { account: parseAccountId(account), device: parseDeviceId(device) };
}

export const handle = handleOf('alice and bob');
export const [alice, bob, carol] = [address('alice'), address('bob'), address('carol')];
export const at = (era: number, number: number): Sequence => ({ era: parseEra(era), number });

/** What a device says in its message n: the number, unless something else. */
export const contentOf = (n: number, text?: string): Uint8Array => encodeContent({ text: text ?? `${n}` });

/** Frame n of a device, chained to the one before. */
export function frameOf(sender: DeviceAddress, n: number, o: { prev?: Uint8Array; text?: string } = {}): Uint8Array {
  const prev = o.prev ?? (n === 1 ? firstPrev(handle, sender) : frameHash(frameOf(sender, n - 1)));
  return encodeFrame({
    sender,
    messageId: parseMessageId(`01890000-0000-7000-8000-${sender.account.slice(-9)}${n.toString(16).padStart(3, '0')}`),
    kind: frameKinds.content,
    place: { handle, n, prev, replaces: [] },
    list: { version: 1, hashPrefix: new Uint8Array(8) },
    sentAtMs: 1,
    body: contentOf(n, o.text),
  });
}
