import { closeCodes, type Form } from '@waxwing/protocol';
import type { Channel, ChannelListener } from '@waxwing/relay';
import { createRelayDevice, type RelayDevice } from './relay-device.ts';

/** A device on a simulated link without time: what one side says, the other has at once, unless it does not read. */
export type LinkedDevice = {
  readonly device: RelayDevice;
  /** While paused, the device reads nothing, and what the relay sends stays in its buffer. */
  pause(): void;
  resume(): void;
  buffered(): number;
  /** The most that was ever buffered. */
  peak(): number;
  /** What the relay did to the channel, in order. */
  readonly ends: readonly string[];
  isOver(): boolean;
};

export function linkDevice(
  connect: (channel: Channel, onAuthenticated?: () => void) => ChannelListener,
  { form = 'binary', onAuthenticated = () => undefined }: { form?: Form; onAuthenticated?: () => void } = {},
): LinkedDevice {
  let held: Uint8Array[] = [];
  let isPaused = false;
  let isOver = false;
  let peak = 0;
  const ends: string[] = [];
  const buffered = (): number => held.reduce((sum, bytes) => sum + bytes.length, 0);

  const over = (code: number, reason: string): void => {
    if (isOver) return;
    isOver = true;
    held = [];
    queueMicrotask(() => {
      input.closed({ code, reason });
      listener.closed();
    });
  };
  let closing: { code: number; reason: string } | undefined;
  const release = (): void => {
    const bytes = held;
    held = [];
    for (const one of bytes) input.received(one);
    if (closing) over(closing.code, closing.reason);
    else if (bytes.length > 0 && !isOver) queueMicrotask(() => listener.drained());
  };

  const channel: Channel = {
    form,
    send(bytes) {
      if (isOver || closing) return;
      held.push(bytes);
      peak = Math.max(peak, buffered());
      if (!isPaused) release();
    },
    bufferedBytes: buffered,
    close(code, reason) {
      ends.push(`close ${Object.entries(closeCodes).find(([, value]) => value === code)?.[0] ?? code} ${reason}`);
      closing ??= { code, reason };
      if (!isPaused) release();
    },
    terminate() {
      ends.push('terminate');
      over(1006, '');
    },
  };
  const { device, input } = createRelayDevice({
    form,
    send(data) {
      if (!isOver) listener.received(data, form === 'json');
    },
    end: () => over(1005, ''),
  });
  const listener = connect(channel, onAuthenticated);
  return {
    device,
    pause: () => (isPaused = true),
    resume() {
      isPaused = false;
      release();
    },
    buffered,
    peak: () => peak,
    ends,
    isOver: () => isOver,
  };
}
