import { AlertStore } from './alerts.ts';
import { AnswerableStore } from './answerable.ts';
import { ClaimStore } from './claims.ts';
import { ConsumerStore } from './consumers.ts';
import { ConversationStore } from './conversations.ts';
import { CoverageStore } from './coverage.ts';
import { CryptoEntries } from './crypto-entries.ts';
import { Db, type Durability } from './database.ts';
import { DeviceListStore } from './device-lists.ts';
import { DeviceStore } from './device.ts';
import { FrameStore } from './frames.ts';
import { PartyStore } from './parties.ts';
import { HeldStore } from './held.ts';
import { MessageStore } from './messages.ts';
import { OutboxStore } from './outbox.ts';
import { ReadMarkStore } from './read-marks.ts';
import { PrekeyStore } from './prekeys.ts';
import { ReceiptStore } from './receipts.ts';
import { RepairStore } from './repairs.ts';
import { SearchStore } from './search.ts';
import { TrustStore } from './trust.ts';

/** Everything a device keeps, by noun. Writes belong in `transaction`. */
export type Store = {
  readonly device: DeviceStore;
  readonly crypto: CryptoEntries;
  readonly prekeys: PrekeyStore;
  readonly lists: DeviceListStore;
  readonly conversations: ConversationStore;
  readonly coverage: CoverageStore;
  readonly frames: FrameStore;
  readonly parties: PartyStore;
  readonly answerable: AnswerableStore;
  readonly messages: MessageStore;
  readonly search: SearchStore;
  readonly outbox: OutboxStore;
  readonly held: HeldStore;
  readonly receipts: ReceiptStore;
  readonly readMarks: ReadMarkStore;
  readonly repairs: RepairStore;
  readonly consumers: ConsumerStore;
  readonly claims: ClaimStore;
  readonly alerts: AlertStore;
  readonly trust: TrustStore;
  /**
   * Runs `work` in one transaction: all of it is durable when this returns, or nothing of it happened. What comes again by
   * itself need not be `synced`: then a power cut may undo it, until the next commit that is.
   */
  transaction<T>(work: () => T, durability?: Durability): T;
  close(): void;
};

export function openStore(path: string, key: Uint8Array, options: { readonly create: boolean }): Store {
  const db = Db.open(path, key, options);
  return {
    device: new DeviceStore(db),
    crypto: new CryptoEntries(db),
    prekeys: new PrekeyStore(db),
    lists: new DeviceListStore(db),
    conversations: new ConversationStore(db),
    coverage: new CoverageStore(db),
    frames: new FrameStore(db),
    parties: new PartyStore(db),
    answerable: new AnswerableStore(db),
    messages: new MessageStore(db),
    search: new SearchStore(db),
    outbox: new OutboxStore(db),
    held: new HeldStore(db),
    receipts: new ReceiptStore(db),
    readMarks: new ReadMarkStore(db),
    repairs: new RepairStore(db),
    consumers: new ConsumerStore(db),
    claims: new ClaimStore(db),
    alerts: new AlertStore(db),
    trust: new TrustStore(db),
    transaction: (work, durability) => db.transaction(work, durability),
    close: () => db.close(),
  };
}
