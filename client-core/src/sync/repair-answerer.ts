import {
  addressKey,
  decodeRepairRequest,
  encodeRepairAnswer,
  frameKinds,
  limits,
  type DeviceAddress,
  type DeviceRange,
  type NumberRange,
  type RepairAnswer,
  type RepairedFrame,
  type RepairRequest,
} from '@waxwing/protocol';
import type { PlacedBytes } from '../history/answerable.ts';
import type { EpochRow } from '../history/conversations.ts';
import type { OwedRow } from '../history/repairs.ts';
import { AskerLimit } from './asker-limit.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { DirectSender } from './direct-sender.ts';
import type { Framing } from './framing.ts';
import { add } from './ranges.ts';
import { answersOf, type Served } from './repair-split.ts';
import { unlessMalformed } from './unless-malformed.ts';

/** A device's open question about one handle: what it asked of it since it was last answered. */
type Question = { readonly asker: DeviceAddress; readonly request: RepairRequest };

/**
 * Answers devices that lack frames: own ones, and those of a conversation's other account. Questions that came while the
 * mailbox drained are answered once, together. An answer that is lost is asked for again; what is owed unasked is kept
 * until the relay has it.
 */
export class RepairAnswerer {
  readonly #context: SyncContext;
  readonly #contacts: Contacts;
  readonly #framing: Framing;
  readonly #sender: DirectSender;
  readonly #limit = new AskerLimit();
  readonly #questions = new Map<string, Question>();

  constructor(context: SyncContext, contacts: Contacts, framing: Framing, sender: DirectSender) {
    this.#context = context;
    this.#contacts = contacts;
    this.#framing = framing;
    this.#sender = sender;
  }

  /** Notes a question. Whoever is no member is not answered; nothing tells them so. */
  ask(asker: DeviceAddress, body: Uint8Array): void {
    const request = unlessMalformed(() => decodeRepairRequest(body));
    if (request === undefined || this.#epochFor(asker, request) === undefined) return;
    const key = `${addressKey(asker)}/${request.handle}`;
    const before = this.#questions.get(key);
    if (before === undefined && this.#questions.size >= limits.repairAskersMax) return;
    this.#questions.set(key, { asker, request: before ? together(before.request, request) : request });
  }

  /** Answers what was asked. */
  async answer(): Promise<void> {
    for (const [key, question] of this.#questions) {
      if (!this.#sender.isConnected) return;
      this.#questions.delete(key);
      await this.#answer(question);
    }
  }

  /** Gives what is owed, until something of it has to wait. */
  async give(): Promise<void> {
    for (const owed of this.#context.store.repairs.owed(limits.framesPerRepairAnswer)) {
      if (!(await this.#give(owed))) return;
    }
  }

  /** The epoch of which the asker may have frames. */
  #epochFor({ account }: DeviceAddress, { handle }: RepairRequest): EpochRow | undefined {
    const { store, local } = this.#context;
    const epoch = store.conversations.epochByHandle(handle);
    const peer = epoch && store.conversations.byId(epoch.conversation)?.peer;
    return account === peer || account === local.address.account ? epoch : undefined;
  }

  async #answer({ asker, request }: Question): Promise<void> {
    const { store, clock } = this.#context;
    const epoch = this.#epochFor(asker, request);
    if (epoch === undefined || this.#contacts.device(asker) === undefined) return;
    const key = addressKey(asker);
    const served = this.#serve(epoch, request, this.#limit.left(key, clock.now()));
    this.#limit.take(key, served.frames.length, clock.now());
    const last = store.frames.lastPlace(epoch.id);
    for (const answer of answersOf(epoch.handle, served, last)) {
      if ((await this.#send(asker, answer)) !== 'accepted') return;
    }
  }

  /** What of a request is here: the frames, and those of which only the hash is. What is not known is left out. */
  #serve(epoch: EpochRow, request: RepairRequest, max: number): Served {
    const { store } = this.#context;
    const frames: RepairedFrame[] = [];
    const goneNumbers: NumberRange[] = [];
    const goneFrames: DeviceRange[] = [];
    for (const { era, ...range } of request.numbers) {
      const rows = store.answerable.atNumbers(epoch.id, era, range, max - frames.length);
      frames.push(...rows.flatMap((row) => this.#toRepaired(row)));
      const gone = rows.filter((row) => !isServable(row)).map(({ sequence: { number } }) => number);
      goneNumbers.push(...ranges(gone).map((part) => ({ era, ...part })));
    }
    for (const { sender, ...range } of request.frames) {
      const party = store.parties.newest(sender);
      if (party === undefined) continue;
      const rows = store.answerable.ofDevice(epoch.id, party, range, max - frames.length);
      frames.push(...rows.flatMap((row) => this.#toRepaired(row)));
      const gone = rows.filter((row) => !isServable(row)).map(({ n }) => n);
      goneFrames.push(...ranges(gone).map((part) => ({ sender, ...part })));
    }
    return { frames, goneNumbers, goneFrames };
  }

  #toRepaired(row: PlacedBytes): RepairedFrame[] {
    const { party, n, sequence, serverTimeMs, bytes } = row;
    if (bytes === null || !isServable(row)) return [];
    return [{ sequence, sender: this.#context.store.parties.address(party), n, serverTimeMs, frame: bytes }];
  }

  /** Gives a device an own frame that it lacked. False where the rest has to wait. */
  async #give(owed: OwedRow): Promise<boolean> {
    const { store } = this.#context;
    const party = this.#framing.findOwnParty();
    const isListed = this.#contacts.device(owed.to) !== undefined;
    const [row] =
      party === undefined || !isListed
        ? []
        : store.answerable.ofDevice(owed.epoch, party, { from: owed.n, to: owed.n }, 1);
    const { handle } = store.conversations.epochById(owed.epoch);
    const frames = row ? this.#toRepaired(row) : [];
    const sent =
      frames.length === 0 ? 'refused' : await this.#send(owed.to, { handle, frames, goneNumbers: [], goneFrames: [] });
    if (sent !== 'accepted' && sent !== 'refused') return false;
    store.transaction(() => store.repairs.given(owed));
    return true;
  }

  #send({ account, device }: DeviceAddress, answer: RepairAnswer) {
    const content = { kind: frameKinds.repairAnswer, body: encodeRepairAnswer(answer) };
    return this.#sender.send(account, content, { only: device });
  }
}

function isServable({ bytes }: PlacedBytes): boolean {
  return bytes !== null && bytes.length <= limits.repairedFrameMaxBytes;
}

function ranges(numbers: readonly number[]) {
  return numbers.reduce<ReturnType<typeof add>>((all, number) => add(all, { from: number, to: number }), []);
}

/** Two requests of one device about one handle as one; what is over the limit is asked for again. */
function together(a: RepairRequest, b: RepairRequest): RepairRequest {
  const numbers = distinct([...b.numbers, ...a.numbers]).slice(0, limits.rangesPerRepair);
  const frames = distinct([...b.frames, ...a.frames]).slice(0, limits.rangesPerRepair - numbers.length);
  return { handle: b.handle, numbers, frames };
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
