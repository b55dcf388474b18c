/** The steps from an empty file to the newest schema of relay.db, oldest first. A step that was released is never edited. */
export const relayMigrations: readonly string[] = [
  /* 0001 */ `
  -- The store itself. One row.
  CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation TEXT NOT NULL
  ) STRICT;

  -- What happened, in order, until the tables have it. An event is durable when its row is.
  CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    events BLOB NOT NULL
  ) STRICT;

  -- Up to which event the tables are up to date, for each bucket of handles and mailboxes.
  CREATE TABLE bucket (
    bucket INTEGER PRIMARY KEY,
    written_up_to INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE counter (
    handle BLOB PRIMARY KEY,
    life INTEGER NOT NULL,
    era INTEGER NOT NULL,
    number INTEGER NOT NULL,
    predecessor_era INTEGER,
    predecessor_number INTEGER,
    last_change INTEGER,
    incarnation TEXT NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counter_used ON counter (used_ms);

  -- The memory of n: the last n and the last results of a sender device in a handle.
  CREATE TABLE sender_memory (
    handle BLOB NOT NULL,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    life INTEGER NOT NULL,
    last_n INTEGER NOT NULL,
    results BLOB NOT NULL,
    PRIMARY KEY (handle, account, device, added_in)
  ) STRICT, WITHOUT ROWID;

  -- Whose message a number is: a row for those that came to a handle between two writes. committed_ms: of the last.
  CREATE TABLE entry (
    handle BLOB NOT NULL,
    era INTEGER NOT NULL,
    first INTEGER NOT NULL,
    committed_ms INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (handle, era, first)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entry_committed ON entry (committed_ms);

  -- A device's mailbox without its envelopes.
  CREATE TABLE mailbox (
    box INTEGER PRIMARY KEY,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    incarnation TEXT NOT NULL,
    drawn_under TEXT NOT NULL,
    acked INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    last INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    marks TEXT NOT NULL,
    oldest_ms INTEGER NOT NULL,
    redated_up_to INTEGER,
    redated_ms INTEGER,
    UNIQUE (account, device, added_in)
  ) STRICT;
  CREATE INDEX mailbox_oldest ON mailbox (oldest_ms) WHERE entries > 0;

  -- What one sender account fills of a mailbox.
  CREATE TABLE share (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    sender BLOB NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (account, device, added_in, sender)
  ) STRICT, WITHOUT ROWID;

  -- The entries of mailboxes; id = box << 31 | number.
  CREATE TABLE envelope (
    id INTEGER PRIMARY KEY,
    sender BLOB NOT NULL,
    committed_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    envelope BLOB,
    shared INTEGER,
    CHECK ((envelope IS NULL) <> (shared IS NULL))
  ) STRICT;

  -- Envelopes that several mailboxes hold.
  CREATE TABLE shared_envelope (
    id INTEGER PRIMARY KEY,
    committed_ms INTEGER NOT NULL,
    envelope BLOB NOT NULL
  ) STRICT;
  CREATE INDEX shared_envelope_committed ON shared_envelope (committed_ms);

  -- Envelopes that nothing reads any more, up to this number; deleted bit by bit.
  CREATE TABLE garbage (
    box INTEGER PRIMARY KEY,
    up_to INTEGER NOT NULL
  ) STRICT;

  -- Direct messages that a mailbox took, also after they were acked.
  CREATE TABLE seen (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    added_in INTEGER NOT NULL,
    sender_account BLOB NOT NULL,
    sender_device INTEGER NOT NULL,
    sender_added_in INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    taken_ms INTEGER NOT NULL,
    PRIMARY KEY (account, device, added_in, sender_account, sender_device, sender_added_in, message_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX seen_taken ON seen (taken_ms);
  `,
];
