import { parseAccountId, parseDeviceId, type AccountId, type DeviceId, type Position } from '@waxwing/protocol';
import type { Db, Row } from './database.ts';
import type { Memo } from './memo.ts';
import { blob, blobOrNull, integer, text, textOrNull } from './row.ts';

/** The device that a file is. `registration` is there until the keyserver confirmed it; `authSecretKey` until it is cloned. */
export type DeviceRow = {
  readonly server: string;
  readonly account: AccountId;
  readonly device: DeviceId;
  readonly registrationId: number;
  readonly identityKeyPair: Uint8Array;
  readonly identityPublicKey: Uint8Array;
  readonly authSecretKey: Uint8Array | null;
  readonly username: string | null;
  readonly registration: Uint8Array | null;
  readonly cloned: boolean;
  readonly nextPrekeyId: number;
  readonly repeatedKeysAtMs: number;
};

export type NewDevice = Omit<DeviceRow, 'cloned' | 'authSecretKey' | 'registration'> & {
  readonly authSecretKey: Uint8Array;
  readonly registration: Uint8Array;
};

const GENERATIONS_KEPT = 64;

/** The device's own row, its generations and its place in the mailbox. */
export class DeviceStore {
  readonly #db: Db;
  /** Under one key: the place in the mailbox. */
  readonly #committed: Memo<Position>;

  constructor(db: Db) {
    this.#db = db;
    this.#committed = db.memo();
  }

  get(): DeviceRow | undefined {
    const row = this.#db.get('SELECT * FROM device');
    return row && toDevice(row);
  }

  insert(device: NewDevice): void {
    this.#db.run(
      `INSERT INTO device (id, server, account, device, registration_id, identity_key_pair, identity_public_key,
         auth_secret_key, username, registration, next_prekey_id, repeated_keys_at_ms)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      device.server,
      device.account,
      device.device,
      device.registrationId,
      device.identityKeyPair,
      device.identityPublicKey,
      device.authSecretKey,
      device.username,
      device.registration,
      device.nextPrekeyId,
      device.repeatedKeysAtMs,
    );
  }

  registered(): void {
    this.#db.run('UPDATE device SET registration = NULL');
  }

  /** Empties the file of a device whose registration was refused. */
  forget(): void {
    this.#committed.drop(0);
    for (const table of ['device', 'crypto', 'device_list', 'generation']) this.#db.run(`DELETE FROM ${table}`);
  }

  moved(server: string): void {
    this.#db.run('UPDATE device SET server = ?', server);
  }

  /** Drops what a copy must not use: sessions, prekeys and the auth key. History stays. */
  setCloned(): void {
    this.#db.run('UPDATE device SET cloned = 1, auth_secret_key = NULL, prekey_upload = NULL');
    for (const table of ['crypto', 'generation', 'retired_prekey']) this.#db.run(`DELETE FROM ${table}`);
  }

  generations(): Uint8Array[] {
    return this.#db.all('SELECT token FROM generation ORDER BY id').map((row) => blob(row, 'token'));
  }

  /** Adds a token, keeping the first, which the relay may hold, and the newest of the others. */
  addGeneration(token: Uint8Array): void {
    this.#db.run('INSERT INTO generation (token) VALUES (?)', token);
    this.#db.run(
      `DELETE FROM generation WHERE id <> (SELECT min(id) FROM generation)
         AND id NOT IN (SELECT id FROM generation ORDER BY id DESC LIMIT ?)`,
      GENERATIONS_KEPT - 1,
    );
  }

  /** The relay stores this token now: the ones before it are of no more use. */
  confirmGeneration(token: Uint8Array): void {
    this.#db.run('DELETE FROM generation WHERE id < (SELECT id FROM generation WHERE token = ?)', token);
  }

  committed(): Position | undefined {
    return this.#committed.of(0, () => {
      const row = this.#db.get('SELECT mailbox_incarnation, mailbox_committed FROM device');
      const incarnation = row && textOrNull(row, 'mailbox_incarnation');
      return row && incarnation ? { incarnation, number: integer(row, 'mailbox_committed') } : undefined;
    });
  }

  /** Within one mailbox the position only rises. */
  setCommitted(position: Position): void {
    const { incarnation, number } = position;
    this.#committed.drop(0);
    this.#db.run(
      `UPDATE device SET
         mailbox_committed = CASE WHEN mailbox_incarnation = ? THEN max(mailbox_committed, ?) ELSE ? END,
         mailbox_incarnation = ?`,
      incarnation,
      number,
      number,
      incarnation,
    );
  }
}

function toDevice(row: Row): DeviceRow {
  return {
    server: text(row, 'server'),
    account: parseAccountId(text(row, 'account')),
    device: parseDeviceId(integer(row, 'device')),
    registrationId: integer(row, 'registration_id'),
    identityKeyPair: blob(row, 'identity_key_pair'),
    identityPublicKey: blob(row, 'identity_public_key'),
    authSecretKey: blobOrNull(row, 'auth_secret_key'),
    username: textOrNull(row, 'username'),
    registration: blobOrNull(row, 'registration'),
    cloned: integer(row, 'cloned') === 1,
    nextPrekeyId: integer(row, 'next_prekey_id'),
    repeatedKeysAtMs: integer(row, 'repeated_keys_at_ms'),
  };
}
