import { decodeEnvelope, type DeviceAddress, type Down, type Handle, type Up } from '@waxwing/protocol';

/** Which messages a device has said to be committed, as the wire shows it: from then on it has them, whatever fails. */
export type Acknowledged = {
  /** What a device was given. */
  down(device: string, messages: readonly Down[]): void;
  /** What a device sent. */
  up(device: string, messages: readonly Up[]): void;
  has(
    device: string,
    message: { readonly handle: Handle; readonly sender: DeviceAddress; readonly n: number },
  ): boolean;
};

type Given = { readonly incarnation: string; readonly number: number; readonly message: string };

export function createAcknowledged(): Acknowledged {
  const given = new Map<string, Given[]>();
  const committed = new Set<string>();
  const nameOf = (handle: Handle, { account, device }: DeviceAddress, n: number): string =>
    `${handle} ${account}.${device} ${n}`;

  return {
    down(device, messages) {
      const own = given.get(device) ?? [];
      given.set(device, own);
      for (const message of messages) {
        if (message.type !== 'deliver') continue;
        const envelope = decodeEnvelope(message.envelope);
        if (envelope.type !== 'sequenced') continue;
        own.push({ ...message.position, message: nameOf(envelope.handle, envelope.sender, envelope.n) });
      }
    },
    up(device, messages) {
      for (const message of messages) {
        const position = 'committed' in message ? message.committed : undefined;
        const own = given.get(device) ?? [];
        const isCommitted = ({ incarnation, number }: Given): boolean =>
          incarnation === position?.incarnation && number <= position.number;
        for (const one of own) if (isCommitted(one)) committed.add(`${device} ${one.message}`);
        // On another connection, what is there and was not committed is given again.
        const isOver = message.type === 'authenticate';
        given.set(
          device,
          own.filter((one) => !isOver && !isCommitted(one)),
        );
      }
    },
    has: (device, { handle, sender, n }) => committed.has(`${device} ${nameOf(handle, sender, n)}`),
  };
}
