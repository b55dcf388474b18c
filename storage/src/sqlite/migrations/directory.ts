/** The steps from an empty file to the newest schema of directory.db, oldest first. A step that was released is never edited. */
export const directoryMigrations: readonly string[] = [
  /* 0001 */ `
  -- An account's newest signed device list, and the one before: the devices that left follow from both.
  CREATE TABLE device_list (
    account BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    signed BLOB NOT NULL,
    signed_before BLOB
  ) STRICT, WITHOUT ROWID;

  -- The clone guard's newest token of a device.
  CREATE TABLE generation (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    token BLOB NOT NULL,
    PRIMARY KEY (account, device, added_in)
  ) STRICT, WITHOUT ROWID;

  -- A device's repeated prekeys. published_under: the store incarnation that its one-time keys belong to.
  CREATE TABLE prekeys (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    published_under TEXT NOT NULL,
    signed_id INTEGER,
    signed_key BLOB,
    signed_signature BLOB,
    kyber_id INTEGER,
    kyber_key BLOB,
    kyber_signature BLOB,
    PRIMARY KEY (account, device, added_in)
  ) STRICT, WITHOUT ROWID;

  -- One-time prekeys in the order of publishing. public_key is null once the key is gone: then its hash is remembered.
  CREATE TABLE one_time_key (
    place INTEGER PRIMARY KEY,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('ec', 'kyber')),
    id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    public_key BLOB,
    signature BLOB,
    UNIQUE (account, device, added_in, kind, id)
  ) STRICT;
  CREATE INDEX one_time_key_left ON one_time_key (account, device, added_in, kind, place) WHERE public_key IS NOT NULL;

  -- Usernames, by libsignal's hash. given_up_ms: the account gave it up then.
  CREATE TABLE username (
    hash BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    given_up_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX username_of ON username (account) WHERE given_up_ms IS NULL;
  CREATE INDEX username_given_up ON username (given_up_ms) WHERE given_up_ms IS NOT NULL;

  -- Tickets that let an account in, by a hash of issuer and id, until they are refused for their age.
  CREATE TABLE used_ticket (
    hash BLOB PRIMARY KEY,
    keep_until_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX used_ticket_over ON used_ticket (keep_until_ms);
  `,
];
