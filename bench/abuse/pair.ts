import { encodeSubmitBody, limits, type Handle } from '@waxwing/protocol';
import type { TestDevice } from '../../test/support/relay-account.ts';
import { dialLoad, type LoadDevice } from './load-device.ts';

const MESSAGE_BYTES = 512;

/** Two devices, the one writing to the other: closed (always so many in flight) or as messages fall due. */
export class Pair {
  readonly #from: TestDevice;
  readonly #to: TestDevice;
  readonly #handle: Handle;
  readonly #sender: LoadDevice;
  readonly #receiver: LoadDevice;
  readonly #due: number[] = [];
  readonly #open = new Set<number>();
  #n = 0;
  #isClosedLoop = false;
  /** Of each delivered message, from when it was due, in ms. */
  latencies: number[] = [];
  accepted = 0;
  delivered = 0;
  readonly rejections: string[] = [];
  /** Both are online. Rejects where one of them is not let in. */
  readonly ready: Promise<unknown>;

  constructor(url: string, from: TestDevice, to: TestDevice, handle: Handle) {
    this.#from = from;
    this.#to = to;
    this.#handle = handle;
    const online: (() => void)[] = [];
    this.#receiver = dialLoad(url, to, {
      ready: () => online[0]?.(),
      delivered: (ciphertext) => {
        this.delivered += 1;
        this.latencies.push(performance.now() - Buffer.from(ciphertext).readDoubleLE(0));
      },
    });
    this.#sender = dialLoad(url, from, {
      ready: () => online[1]?.(),
      answered: (down) => {
        this.#open.delete(down.request);
        if (down.type === 'accepted') this.accepted += 1;
        else this.rejections.push(down.code);
        this.#pump();
      },
    });
    const comes = ({ socket }: LoadDevice): Promise<void> =>
      new Promise((resolve, reject) => {
        online.push(resolve);
        socket.once('close', () => reject(new Error('a device of a pair was not let in')));
      });
    this.ready = Promise.all([comes(this.#receiver), comes(this.#sender)]);
  }

  get sent(): number {
    return this.#n;
  }

  get isIdle(): boolean {
    return this.#due.length === 0 && this.#open.size === 0 && this.delivered === this.accepted;
  }

  /** A message falls due. */
  send(dueMs: number): void {
    this.#due.push(dueMs);
    this.#pump();
  }

  closedLoop(isOn: boolean): void {
    this.#isClosedLoop = isOn;
    this.#pump();
  }

  end(): void {
    this.#sender.socket.terminate();
    this.#receiver.socket.terminate();
  }

  #pump(): void {
    while (this.#open.size < limits.windowPerHandle / 2) {
      const due = this.#isClosedLoop ? performance.now() : this.#due.shift();
      if (due === undefined) return;
      const n = ++this.#n;
      this.#open.add(n);
      const ciphertext = Buffer.alloc(MESSAGE_BYTES, 1);
      ciphertext.writeDoubleLE(due, 0);
      const { account, device, registrationId } = this.#to;
      const body = encodeSubmitBody({
        change: false,
        visible: true,
        urgent: false,
        recipients: [
          { account: this.#from.account, listVersion: 1, devices: [] },
          { account, listVersion: 1, devices: [{ device, registrationId, kind: 'session', ciphertext }] },
        ],
      });
      const oldest = Math.min(...this.#open);
      this.#sender.say({ type: 'submit', handle: this.#handle, request: n, attempt: 1, n, oldest, body });
    }
  }
}

/** Lets messages fall due for so long, spread over the pairs, so many a second in all. */
export async function openLoop(pairs: readonly Pair[], o: { readonly perSecond: number; readonly seconds: number }) {
  for (const pair of pairs) pair.latencies = [];
  const began = performance.now();
  const all = Math.round(o.perSecond * o.seconds);
  for (let index = 0; index < all;) {
    const now = performance.now();
    for (; index < all && began + (index * 1_000) / o.perSecond <= now; index += 1) {
      pairs[index % pairs.length]?.send(began + (index * 1_000) / o.perSecond);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await waitFor(() => pairs.every((pair) => pair.isIdle), 30_000);
  return pairs.flatMap((pair) => pair.latencies);
}

/** Resolves when it holds, or after so long; says whether it does. */
export async function waitFor(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < withinMs;) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
