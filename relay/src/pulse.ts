import type { Timers } from '@waxwing/protocol';

/** Who is called back again and again. */
export type PulseMember = { tick(): void };

/**
 * Calls each member every `intervalMs`, with one timer for many of them. The first time comes within an interval, since a
 * member joins others that are there already; each next one comes an interval after the one before. Without members there is no timer.
 */
export type Pulse = {
  /** Calls the member from now on; the answer is what takes it away again. */
  add(member: PulseMember): Beat;
};

/** Some members with a timer of their own. */
export type Beat = { remove(member: PulseMember): void };

/** So many members share a timer: few enough that what they do at once holds nobody up. */
const MEMBERS_PER_BEAT = 32;

export function createPulse(timers: Timers, intervalMs: number): Pulse {
  let last: SharedBeat | undefined;
  return {
    add(member) {
      if (last === undefined || last.isFull) last = new SharedBeat(timers, intervalMs);
      last.add(member);
      return last;
    },
  };
}

class SharedBeat implements Beat {
  readonly #timers: Timers;
  readonly #intervalMs: number;
  readonly #members = new Set<PulseMember>();
  #cancel: (() => void) | undefined;

  constructor(timers: Timers, intervalMs: number) {
    this.#timers = timers;
    this.#intervalMs = intervalMs;
  }

  get isFull(): boolean {
    return this.#members.size >= MEMBERS_PER_BEAT;
  }

  add(member: PulseMember): void {
    this.#members.add(member);
    this.#cancel ??= this.#timers.after(this.#intervalMs, this.#beat);
  }

  remove(member: PulseMember): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  readonly #beat = (): void => {
    this.#cancel = this.#timers.after(this.#intervalMs, this.#beat);
    for (const member of this.#members) member.tick();
  };
}
