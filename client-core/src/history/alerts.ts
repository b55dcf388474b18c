import { limits, parseAccountId, parseDeviceId, parseEra, type AccountId, type DeviceId } from '@waxwing/protocol';
import type { Sequence } from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import { integer, integerOrNull, text } from './row.ts';

/** What was found: of which account and device, and behind which sequence it stands; `at` is null before any message. */
export type AlertRow = {
  readonly id: number;
  readonly account: AccountId;
  readonly device: DeviceId | undefined;
  readonly what: string;
  readonly at: { readonly epoch: number; readonly sequence: Sequence } | null;
  readonly atMs: number;
};

/** The alerts of each conversation, the newest `alertsPerConversation` of them. */
export class AlertStore {
  readonly #db: Db;
  constructor(db: Db) {
    this.#db = db;
  }

  /** Keeps an alert, unless the same was found in this conversation within `alertRestMs`. Answers whether it was kept. */
  note(conversation: number, alert: Omit<AlertRow, 'id'>): boolean {
    const same = this.#db.get(
      `SELECT id FROM alert
       WHERE conversation = ? AND account = ? AND device IS ? AND what = ? AND at_ms > ? AND at_ms <= ? LIMIT 1`,
      conversation,
      alert.account,
      alert.device ?? null,
      alert.what,
      alert.atMs - limits.alertRestMs,
      alert.atMs,
    );
    if (same) return false;
    this.#db.run(
      `INSERT INTO alert (conversation, account, device, what, epoch, era, number, at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      conversation,
      alert.account,
      alert.device ?? null,
      alert.what,
      alert.at?.epoch ?? null,
      alert.at?.sequence.era ?? null,
      alert.at?.sequence.number ?? null,
      alert.atMs,
    );
    this.#db.run(
      `DELETE FROM alert WHERE conversation = ? AND id <=
         (SELECT id FROM alert WHERE conversation = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      conversation,
      conversation,
      limits.alertsPerConversation,
    );
    return true;
  }

  /** In the order in which they were found. */
  of(conversation: number): AlertRow[] {
    return this.#db.all('SELECT * FROM alert WHERE conversation = ? ORDER BY id', conversation).map(toAlert);
  }
}

function toAlert(row: Row): AlertRow {
  const [epoch, era, device] = [
    integerOrNull(row, 'epoch'),
    integerOrNull(row, 'era'),
    integerOrNull(row, 'device'),
  ] as const;
  return {
    id: integer(row, 'id'),
    account: parseAccountId(text(row, 'account')),
    device: device === null ? undefined : parseDeviceId(device),
    what: text(row, 'what'),
    at:
      epoch === null || era === null
        ? null
        : { epoch, sequence: { era: parseEra(era), number: integer(row, 'number') } },
    atMs: integer(row, 'at_ms'),
  };
}
