import { once } from 'node:events';
import { subprotocol } from '@waxwing/protocol';
import { WebSocket } from 'ws';
import { createRelayDevice, type RelayDevice } from '../../test/support/relay-device.ts';

/** A raw device on a socket of its own. */
export type Dialled = {
  readonly device: RelayDevice;
  /** Resolves when the server has read all that was sent so far, or the connection is over. */
  heard(): Promise<void>;
};

/** Dials from this address of this machine. Rejects when it is not let in. */
export async function dialAs(url: string, localAddress: string): Promise<Dialled> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/relay`, subprotocol, { localAddress });
  const { device, input } = createRelayDevice({
    form: 'binary',
    send: (data) => socket.readyState === WebSocket.OPEN && socket.send(data),
    end: () => socket.terminate(),
  });
  let failed = '';
  socket.on('message', (data: Buffer) => input.received(data));
  socket.on('close', (code, reason) => input.closed({ code, reason: reason.toString() }));
  socket.on('error', (error) => (failed = error.message));
  await Promise.race([once(socket, 'open'), device.ended]);
  if (device.isEnded()) throw new Error(`not let in: ${failed}`);
  return {
    device,
    async heard() {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
      await Promise.race([new Promise((resolve) => socket.once('pong', resolve)), device.ended]);
    },
  };
}
