import { encodeRepairRequest, frameKinds, limits, randomFraction, type DeviceAddress } from '@waxwing/protocol';
import type { DueHoles } from '../history/repairs.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { DirectSender } from './direct-sender.ts';
import { renewalDueMs, repairWaitMs } from './repair-wait.ts';

/**
 * Asks for what is missing, from the other account and the own other devices. When a hole is asked for next is durable
 * and written before the question goes, so that no second one runs beside it. Where something could not be read, a
 * new session is set up and the question goes in it.
 */
export class RepairAsker {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #sender: DirectSender;

  constructor(context: SyncContext, contacts: Contacts, sender: DirectSender) {
    this.#context = context;
    this.#contacts = contacts;
    this.#sender = sender;
  }

  /** The relay has forgotten: how far each conversation goes is to be asked. Within a transaction. */
  wantTails(): void {
    const { store } = this.#context;
    for (const { id } of store.conversations.all()) {
      const epoch = store.conversations.epochs(id).at(-1);
      if (epoch) store.repairs.wantTail(epoch.id, this.#dueAgain(0));
    }
  }

  /** When there is something to ask; undefined while there is nothing. Draws times for what has none. */
  nextMs(): number | undefined {
    const { store, clock } = this.#context;
    // Drawn before the clock was set back: no wait is longer than this.
    const latest = clock.now() + limits.repairMaxMs;
    if ((store.repairs.nextDue() ?? 0) > latest) store.transaction(() => store.repairs.notBeyond(latest));
    if (store.repairs.nextDue() === null) store.transaction(() => store.repairs.setDue(this.#dueAgain(0)));
    const times = [store.repairs.nextDue() ?? undefined, ...this.#unread().map(({ dueMs }) => dueMs)];
    return times.reduce((first, next) => (first === undefined || (next !== undefined && next < first) ? next : first));
  }

  /** Asks for all that is due. */
  async run(): Promise<void> {
    const { store, clock } = this.#context;
    store.transaction(() => store.repairs.notBeyond(clock.now() + limits.repairMaxMs), { synced: false });
    for (const epoch of store.repairs.epochsDue(clock.now())) {
      if (!this.#sender.isConnected) return;
      await this.#askFor(epoch);
    }
    const unread = this.#unread().filter(({ dueMs }) => dueMs <= clock.now());
    for (const account of new Set(unread.map(({ device }) => device.account))) await this.#renew(account);
  }

  async #askFor(epoch: number): Promise<void> {
    const { store, clock, local } = this.#context;
    const due = store.transaction(() => this.#take(epoch, clock.now()));
    const { handle, conversation } = store.conversations.epochById(epoch);
    const peer = store.conversations.byId(conversation)?.peer;
    const numbers = due.numbers.map(({ era, from, to }) => ({ era, from, to }));
    const frames = due.frames.map(({ party, from, to }) => ({ sender: store.parties.address(party), from, to }));
    const content = { kind: frameKinds.repairRequest, body: encodeRepairRequest({ handle, numbers, frames }) };
    for (const account of new Set([peer, local.address.account])) {
      if (account === undefined) continue;
      if (!this.#contacts.list(account)) await this.#contacts.fetch(account);
      if (this.#contacts.recipients(account).length === 0) continue;
      await this.#sender.send(account, content, { renew: this.#renewals(account) });
    }
  }

  /** What is due of an epoch, noted as asked for. */
  #take(epoch: number, nowMs: number): DueHoles {
    const { repairs } = this.#context.store;
    const due = repairs.due(epoch, nowMs, limits.rangesPerRepair);
    for (const range of due.numbers) repairs.askedNumbers(epoch, range, this.#dueAgain(range.tries + 1));
    for (const { party, from, tries } of due.frames) repairs.askedFrames(epoch, party, from, this.#dueAgain(tries + 1));
    if (due.tail !== undefined) repairs.askedTail(epoch, this.#dueAgain(due.tail + 1));
    return due;
  }

  /** A new session with devices from which something could not be read; what is missing of theirs is asked for in it. */
  async #renew(account: DeviceAddress['account']): Promise<void> {
    const { store, clock } = this.#context;
    const renew = this.#renewals(account);
    const handle = this.#contacts.epoch(account)?.handle;
    if (renew.length === 0 || handle === undefined) return;
    const epoch = store.conversations.epochByHandle(handle);
    if (epoch) {
      store.transaction(() => store.repairs.bringForward(epoch.id, clock.now()));
      await this.#askFor(epoch.id);
      return;
    }
    const body = encodeRepairRequest({ handle, numbers: [], frames: [] });
    await this.#sender.send(account, { kind: frameKinds.repairRequest, body }, { renew });
  }

  #renewals(account: DeviceAddress['account']): DeviceAddress[] {
    const nowMs = this.#context.clock.now();
    return this.#unread()
      .filter(({ device, dueMs }) => device.account === account && dueMs <= nowMs)
      .map(({ device }) => device);
  }

  #unread(): { readonly device: DeviceAddress; readonly dueMs: number }[] {
    return this.#context.store.repairs.unread().flatMap(({ device, sinceMs, renewedMs }) => {
      const dueMs = renewalDueMs(sinceMs, renewedMs);
      return dueMs === undefined || !this.#contacts.device(device) ? [] : [{ device, dueMs }];
    });
  }

  #dueAgain(tries: number): number {
    const { clock, randomBytes } = this.#context;
    return clock.now() + repairWaitMs(tries, randomFraction(randomBytes));
  }
}
