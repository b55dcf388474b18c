import { parsed, waxwing } from '../../test/support/cli.ts';
import type { RunningProcess } from '../../test/support/processes.ts';
import type { Kill, Victim } from './schedule.ts';

/** How far the sender may be ahead of the next kill when its victims fall. */
const AHEAD = 48;
/** How many lines whose outcome is known a sender that comes back is given again. */
const REPEATED = 24;
const IDLE_MS = 120_000;

export type Relay = { start(): Promise<void>; kill(): Promise<void> };

/** A line of `tail` that arrived whole. */
export type TailLine = { readonly id: string; readonly text: string; readonly redelivered: boolean };

/** What one direction has shown: the ids that were reported sent, in order, and every line of the receiver. */
export type DirectionResult = {
  readonly sent: ReadonlyMap<number, string>;
  readonly tail: readonly TailLine[];
  readonly killed: Readonly<Record<Victim, number>>;
};

type DirectionOptions = {
  readonly from: string;
  readonly to: { readonly account: string; readonly profile: string };
  readonly texts: readonly string[];
  readonly kills: readonly Kill[];
  readonly relay: Relay;
  readonly random: () => number;
  readonly name: string;
};

/**
 * Sends numbered lines from one profile to another while processes are killed. The sender is given the lines whose
 * outcome it has not told again, under their ids, and a few of those whose outcome it has.
 */
export class Direction {
  readonly #o: DirectionOptions;
  readonly #sent = new Map<number, string>();
  readonly #tail: TailLine[] = [];
  readonly #received = new Set<string>();
  readonly #killed: Record<Victim, number> = { relay: 0, sender: 0, receiver: 0 };
  #sender: RunningProcess | undefined;
  #receiver: RunningProcess | undefined;
  #fed = 0;
  #allowed = 0;
  #wake: (() => void) | undefined;
  #problem: Error | undefined;

  constructor(o: DirectionOptions) {
    this.#o = o;
  }

  async run(): Promise<DirectionResult> {
    const { kills, texts, relay } = this.#o;
    this.#startReceiver();
    this.#startSender();
    for (const { after, victims } of kills) {
      this.#allow(after + AHEAD);
      await this.#until(() => this.#sent.size >= after);
      await this.#killAll(victims);
      if (victims.includes('relay')) await relay.start();
      if (victims.includes('receiver')) this.#startReceiver();
      if (victims.includes('sender')) this.#startSender();
    }
    this.#allow(texts.length);
    await this.#until(() => this.#sent.size === texts.length);
    this.#sender?.endInput();
    const sender = await this.#sender?.exit();
    if (sender?.code !== 0)
      throw new Error(`the sender ended with ${String(sender?.code)}\n${this.#sender?.errors ?? ''}`);
    await this.#until(() => this.#received.size === texts.length);
    this.#receiver?.kill('SIGTERM');
    const receiver = await this.#receiver?.exit();
    if (receiver?.code !== 0) throw new Error(`the receiver ended with ${String(receiver?.code)}`);
    return { sent: this.#sent, tail: this.#tail, killed: this.#killed };
  }

  #startSender(): void {
    const { from, to } = this.#o;
    const sender = waxwing(['send', '--profile', from, '--to', to.account, '-']);
    this.#sender = sender;
    const known = this.#firstUnknown();
    this.#fed = Math.max(0, known - Math.floor(this.#o.random() * REPEATED));
    this.#follow(sender, 'sender', (line) => {
      const { key, id, status, code } = parsed(line);
      if (status !== 'sent' && status !== 'delivered')
        throw new Error(`${String(key)} is ${String(status)}: ${String(code)}`);
      const index = Number(String(key).replace(/^.*-/, ''));
      const before = this.#sent.get(index);
      if (before !== undefined && before !== id) throw new Error(`${String(key)} became another message`);
      this.#sent.set(index, String(id));
    });
    this.#feed();
  }

  #startReceiver(): void {
    const receiver = waxwing(['tail', '--profile', this.#o.to.profile, '--consumer', 'proof']);
    this.#receiver = receiver;
    this.#follow(receiver, 'receiver', (line) => {
      const { id, text, redelivered } = parsed(line);
      this.#tail.push({ id: String(id), text: String(text), redelivered: redelivered === true });
      this.#received.add(String(id));
    });
  }

  /** Takes each line as it comes. The last one of a process that was killed may be cut off, and is then not a line. */
  #follow(one: RunningProcess, name: Victim, take: (line: string) => void): void {
    let read = 0;
    one.onChange(() => {
      try {
        for (; read < one.lines.length; read++) {
          const line = one.lines[read] ?? '';
          const isCut = one.ended?.signal === 'SIGKILL' && read === one.lines.length - 1 && !line.endsWith('}');
          if (!isCut) take(line);
        }
        if (one.ended && one.ended.signal !== 'SIGKILL' && one.ended.code !== 0) {
          throw new Error(`the ${name} ended with ${String(one.ended.code)}\n${one.errors}`);
        }
      } catch (error) {
        this.#problem ??= error instanceof Error ? error : new Error(String(error));
      }
      this.#wake?.();
    });
  }

  #allow(upTo: number): void {
    this.#allowed = Math.min(this.#o.texts.length, Math.max(this.#allowed, upTo));
    this.#feed();
  }

  #feed(): void {
    const lines: string[] = [];
    for (; this.#fed < this.#allowed; this.#fed++) {
      lines.push(JSON.stringify({ id: `${this.#o.name}-${this.#fed}`, text: this.#o.texts[this.#fed] }));
    }
    if (lines.length > 0) this.#sender?.write(...lines);
  }

  async #killAll(victims: readonly Victim[]): Promise<void> {
    const ends = victims.map(async (victim) => {
      this.#killed[victim] += 1;
      if (victim === 'relay') return this.#o.relay.kill();
      const one = victim === 'sender' ? this.#sender : this.#receiver;
      one?.kill('SIGKILL');
      await one?.exit();
      return undefined;
    });
    await Promise.all(ends);
  }

  #firstUnknown(): number {
    let index = 0;
    while (this.#sent.has(index)) index += 1;
    return index;
  }

  /** Waits for progress; fails where nothing at all happens for `IDLE_MS`. */
  async #until(isSo: () => boolean): Promise<void> {
    for (;;) {
      if (this.#problem) throw this.#problem;
      if (isSo()) return;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          const where = `${this.#sent.size} sent, ${this.#received.size} received`;
          reject(
            new Error(`nothing happens: ${where}\n${this.#sender?.errors ?? ''}\n${this.#receiver?.errors ?? ''}`),
          );
        }, IDLE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
