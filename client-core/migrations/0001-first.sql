-- The device's file. Ids of accounts and messages are texts, handles and hashes are bytes.

-- open: 1 while a process has the file; still 1 at the next opening after an unclean end.
CREATE TABLE file (open INTEGER NOT NULL) STRICT;
INSERT INTO file VALUES (0);

-- The device that this file is. registration: the body of POST /v1/accounts until it was answered, to repeat it byte for byte;
-- prekey_upload: that of PUT /v1/prekeys.
CREATE TABLE device (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  server TEXT NOT NULL,
  account TEXT NOT NULL,
  device INTEGER NOT NULL,
  registration_id INTEGER NOT NULL,
  identity_key_pair BLOB NOT NULL,
  identity_public_key BLOB NOT NULL,
  auth_secret_key BLOB,
  username TEXT,
  registration BLOB,
  cloned INTEGER NOT NULL DEFAULT 0,
  next_prekey_id INTEGER NOT NULL,
  repeated_keys_at_ms INTEGER NOT NULL,
  prekey_upload BLOB,
  mailbox_incarnation TEXT,
  mailbox_committed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The token that the relay last confirmed and all drawn since, oldest first.
CREATE TABLE generation (id INTEGER PRIMARY KEY, token BLOB NOT NULL) STRICT;

-- What the crypto keeps: sessions, prekeys, base keys of the last-resort key.
CREATE TABLE crypto (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- Signed prekeys and last-resort keys, each pair under its id, that the server has no more: for first messages that are late.
CREATE TABLE retired_prekey (id INTEGER PRIMARY KEY, retired_at_ms INTEGER NOT NULL) STRICT;

-- The newest verified device list of each account, the own one among them.
CREATE TABLE device_list (
  account TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  signed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A newer list of an account, as its devices name it, until it is here.
CREATE TABLE list_claim (
  account TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  hash_prefix BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What is thought of other accounts' identity keys. verified_key: the one whose safety number the person compared.
-- former_key: the one before the last change, which was met at changed_at_ms, and the version of its last known list.
-- was_verified: a key that the person had verified has changed; accepted: the person takes the key of now.
CREATE TABLE trust (
  account TEXT PRIMARY KEY,
  verified_key BLOB,
  changed_at_ms INTEGER,
  former_key BLOB,
  former_version INTEGER,
  was_verified INTEGER NOT NULL DEFAULT 0,
  accepted INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

-- told_ms: when the other side was last told what this device holds. unread: how many of its messages are shown and unread.
CREATE TABLE conversation (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  peer TEXT UNIQUE,
  created_at_ms INTEGER NOT NULL,
  told_ms INTEGER NOT NULL DEFAULT 0,
  unread INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A stretch of a conversation under one handle. It starts at the first sequence that this device holds. tail: when the
-- others are asked how far it goes, because the relay has forgotten; null if they need not be.
CREATE TABLE epoch (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversation,
  number INTEGER NOT NULL,
  handle BLOB NOT NULL UNIQUE,
  start_era INTEGER,
  start_number INTEGER,
  floor_era INTEGER,
  floor_number INTEGER,
  tail_tries INTEGER NOT NULL DEFAULT 0,
  tail_due_ms INTEGER
) STRICT;
CREATE INDEX epoch_by_conversation ON epoch (conversation, number, handle);

-- Eras met in an epoch; a predecessor that is null is unknown.
CREATE TABLE era (
  epoch INTEGER NOT NULL REFERENCES epoch,
  era INTEGER NOT NULL,
  predecessor_era INTEGER,
  predecessor_number INTEGER,
  PRIMARY KEY (epoch, era)
) STRICT, WITHOUT ROWID;

-- The numbers held, as ranges with both ends included.
CREATE TABLE coverage (
  epoch INTEGER NOT NULL REFERENCES epoch,
  era INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (epoch, era, first)
) STRICT, WITHOUT ROWID;

-- Missing numbers that are shown as holes, with their reason; how often others were asked for them, and when they are next
-- (null until that is drawn).
CREATE TABLE hole (
  epoch INTEGER NOT NULL REFERENCES epoch,
  era INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER,
  PRIMARY KEY (epoch, era, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX hole_by_due ON hole (due_ms)
  WHERE reason IN ('expired', 'over quota', 'undecryptable', 'awaiting sender', 'lost');

-- Frames of a device that are missing and whose numbers are unknown, shown before the frame that revealed them.
CREATE TABLE chain_hole (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  first_n INTEGER NOT NULL,
  last_n INTEGER NOT NULL,
  before_era INTEGER NOT NULL,
  before_number INTEGER NOT NULL,
  reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER,
  PRIMARY KEY (epoch, party, first_n)
) STRICT, WITHOUT ROWID;
CREATE INDEX chain_hole_by_due ON chain_hole (due_ms)
  WHERE reason IN ('expired', 'over quota', 'undecryptable', 'awaiting sender', 'lost');

-- A device as a sender; an id that returns later is another one.
CREATE TABLE party (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  device INTEGER NOT NULL,
  added_in INTEGER NOT NULL,
  UNIQUE (account, device, added_in)
) STRICT;

-- Every frame read or sent, for ever: its hash, the hash of the ciphertext that brought it, and where it stands (null
-- until an own one is accepted). prev: the hash that it names as the one before, while that is not here; replaces: the
-- hashes that it stands for, one after the other.
CREATE TABLE frame (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  n INTEGER NOT NULL,
  hash BLOB NOT NULL,
  ciphertext_hash BLOB,
  prev BLOB,
  replaces BLOB,
  era INTEGER,
  number INTEGER,
  PRIMARY KEY (epoch, party, n)
) STRICT, WITHOUT ROWID;

-- The bytes of frames that have a place, as they were transmitted, for as long as others may ask for them.
CREATE TABLE answerable (
  id INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  n INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  server_time_ms INTEGER NOT NULL,
  kept_ms INTEGER NOT NULL,
  UNIQUE (epoch, party, n)
) STRICT;
CREATE INDEX answerable_by_age ON answerable (kept_ms);

-- Own frames that a device of their account is owed: the attempt that was accepted lacked it.
CREATE TABLE owed (
  epoch INTEGER NOT NULL REFERENCES epoch,
  n INTEGER NOT NULL,
  account TEXT NOT NULL,
  device INTEGER NOT NULL,
  PRIMARY KEY (epoch, n, account, device)
) STRICT, WITHOUT ROWID;

-- When the session with a device was last set up anew because something from it could not be read.
CREATE TABLE renewal (
  account TEXT NOT NULL,
  device INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- Which frame was given a sequence. A frame may have several, and stands at one. other_hash: of an attempt under this n that
-- is not the one kept in frame. again: 0 for the first place of a frame, 1 for another in another era, 2 for one in an era
-- where it had one.
CREATE TABLE place (
  epoch INTEGER NOT NULL REFERENCES epoch,
  era INTEGER NOT NULL,
  number INTEGER NOT NULL,
  party INTEGER NOT NULL,
  n INTEGER NOT NULL,
  other_hash BLOB,
  again INTEGER NOT NULL,
  PRIMARY KEY (epoch, era, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX place_by_frame ON place (epoch, party, era, n);
CREATE INDEX place_again ON place (epoch, party, n) WHERE again > 0;

-- What others said that they had seen, over numbers that are not all held here.
CREATE TABLE seen_claim (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  era INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (epoch, era, last, first, party)
) STRICT, WITHOUT ROWID;

-- The newest frame of a device by its own word, until that frame is here.
CREATE TABLE head_claim (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  n INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (epoch, party)
) STRICT, WITHOUT ROWID;

-- What a person is warned of, behind which sequence of a conversation (null: before any).
CREATE TABLE alert (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversation,
  account TEXT NOT NULL,
  device INTEGER,
  what TEXT NOT NULL,
  epoch INTEGER REFERENCES epoch,
  era INTEGER,
  number INTEGER,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX alert_by_conversation ON alert (conversation, id);

-- What a person sees. id = order time in ms << 20 | tie: id order is (epoch, era, number) order within a conversation.
-- inbox: place in the order of release, null until released and for own messages. unread: 1 for one of another account
-- until it is marked read.
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversation,
  message_id TEXT NOT NULL,
  party INTEGER NOT NULL REFERENCES party,
  own INTEGER NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epoch,
  era INTEGER NOT NULL,
  number INTEGER NOT NULL,
  n INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  text TEXT,
  reply_to TEXT,
  server_time_ms INTEGER NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  shown INTEGER NOT NULL,
  late INTEGER NOT NULL DEFAULT 0,
  inbox INTEGER,
  unread INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_once ON message (message_id, party);
CREATE INDEX message_by_conversation ON message (conversation, id, shown);
CREATE UNIQUE INDEX message_by_sequence ON message (epoch, era, number);
CREATE UNIQUE INDEX message_by_inbox ON message (inbox) WHERE inbox IS NOT NULL;
CREATE INDEX message_waiting ON message (epoch, era, number) WHERE shown = 0;
CREATE INDEX message_unread ON message (conversation, id) WHERE unread = 1;
CREATE INDEX message_unread_by_n ON message (epoch, party, n) WHERE unread = 1;

-- Search: the shown messages. rowid = message.id, so that newest first is the index's own order; scope has a token for the
-- conversation and one for the sending device. Prefixes of two and three characters have lists of their own: of the others
-- the lists of their words are put together when they are asked for.
CREATE VIEW searchable AS
  SELECT id, text, 'c' || conversation || ' p' || party AS scope FROM message WHERE shown = 1;
CREATE VIRTUAL TABLE search USING fts5 (
  text, scope, content = 'searchable', content_rowid = 'id', columnsize = 0, prefix = '2 3', tokenize = 'signal_tokenizer'
);

-- Own messages on their way. queued: content only; framed: has n and attempts; failed: given up, kept for retry. refused:
-- why it was not taken when it was tried last, tries: how often it was not.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversation,
  message_id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  content BLOB NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  epoch INTEGER REFERENCES epoch,
  n INTEGER,
  attempt INTEGER,
  failure TEXT,
  cancelling INTEGER NOT NULL DEFAULT 0,
  refused TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  UNIQUE (epoch, n)
) STRICT;
CREATE INDEX outbox_by_state ON outbox (state, conversation, id);

-- Every attempt of a framed message, until one is accepted. kind is the frame's.
CREATE TABLE attempt (
  outbox INTEGER NOT NULL REFERENCES outbox ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  frame BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (outbox, attempt)
) STRICT;

-- Ciphertext that cannot be read yet.
CREATE TABLE held (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  device INTEGER NOT NULL,
  reason TEXT NOT NULL,
  ciphertext_hash BLOB NOT NULL,
  envelope BLOB NOT NULL,
  since_ms INTEGER NOT NULL,
  UNIQUE (account, device, ciphertext_hash)
) STRICT;
CREATE INDEX held_unread ON held (account, device, since_ms) WHERE reason = 'undecryptable';

-- What others said they hold of this device's frames.
CREATE TABLE receipt (
  epoch INTEGER NOT NULL REFERENCES epoch,
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  n INTEGER NOT NULL,
  except_ranges TEXT NOT NULL,
  PRIMARY KEY (epoch, account, kind)
) STRICT, WITHOUT ROWID;

-- What this device last said it holds of each other device's frames.
CREATE TABLE reported (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  n INTEGER NOT NULL,
  except_ranges TEXT NOT NULL,
  PRIMARY KEY (epoch, party)
) STRICT, WITHOUT ROWID;

-- What was marked read of each other device's frames: the highest n, what of it this device last told, and how often
-- something was marked that is not told yet.
CREATE TABLE read_mark (
  epoch INTEGER NOT NULL REFERENCES epoch,
  party INTEGER NOT NULL REFERENCES party,
  head INTEGER NOT NULL,
  told_n INTEGER NOT NULL DEFAULT 0,
  told_except TEXT NOT NULL DEFAULT '[]',
  untold INTEGER NOT NULL,
  PRIMARY KEY (epoch, party)
) STRICT, WITHOUT ROWID;
CREATE INDEX read_mark_untold ON read_mark (untold) WHERE untold > 0;

-- Readers of the inbox: up to handled is done with; up to offered may have been given out.
CREATE TABLE consumer (
  name TEXT PRIMARY KEY,
  handled INTEGER NOT NULL,
  offered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
