-- Tables of a ledger in SQLite: one file, one log.
--
-- Append-only: events, tile_hashes, log_head, streams, guards, attachments. Their triggers refuse UPDATE and
-- DELETE; with recursive_triggers on, as every connection of the store has it, REPLACE is refused as well.
-- Erasable: disclosures and slots, by zeroing a row in place and in no other way. The row stays and says that
-- there was a value, and that its bytes are gone does not hang on how a B-tree splits and merges its pages.

PRAGMA application_id = 0x544c4731;  -- "TLG1"
PRAGMA user_version = 1;

CREATE TABLE streams (
    stream TEXT NOT NULL PRIMARY KEY,
    tag    BLOB NOT NULL UNIQUE CHECK (length(tag) = 32),
    salt   BLOB NOT NULL CHECK (length(salt) = 32)
) STRICT, WITHOUT ROWID;

-- One row per leaf; idx is the log's public index. statement is what the person signed, leaf what the tree holds.
CREATE TABLE events (
    idx       INTEGER NOT NULL PRIMARY KEY,
    at        TEXT    NOT NULL,
    stream    TEXT    NOT NULL REFERENCES streams (stream),
    seq       INTEGER NOT NULL CHECK (seq > 0),
    type      TEXT    NOT NULL,
    schema    INTEGER NOT NULL CHECK (schema > 0),
    id        TEXT    NOT NULL UNIQUE,
    event     BLOB    NOT NULL UNIQUE CHECK (length(event) = 32),
    statement BLOB    NOT NULL,
    leaf      BLOB    NOT NULL,
    UNIQUE (stream, seq)
) STRICT;

-- Level 0 holds the leaf hashes; position n of level L is the root over leaves n*256^L … (n+1)*256^L - 1.
CREATE TABLE tile_hashes (
    level    INTEGER NOT NULL CHECK (level >= 0),
    position INTEGER NOT NULL CHECK (position >= 0),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

-- One row per commit. base is the size before it: unique, and by the trigger the newest row's size.
CREATE TABLE log_head (
    base     INTEGER NOT NULL PRIMARY KEY,
    size     INTEGER NOT NULL CHECK (size > base),
    root     BLOB    NOT NULL CHECK (length(root) = 32),
    frontier BLOB    NOT NULL,
    note     BLOB    NOT NULL
) STRICT;

CREATE TABLE guards (
    kind TEXT    NOT NULL,
    key  TEXT    NOT NULL,
    idx  INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE attachments (
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    media_type TEXT NOT NULL,
    data       BLOB NOT NULL
) STRICT;

-- number grows with each row, so that rows are only ever added at the end of the B-tree.
CREATE TABLE disclosures (
    number     INTEGER PRIMARY KEY,
    event      BLOB    NOT NULL REFERENCES events (event),
    path       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    stream     TEXT    NOT NULL,
    erased     INTEGER NOT NULL CHECK (erased IN (0, 1)),
    nonce      BLOB    NOT NULL,
    ciphertext BLOB    NOT NULL,
    UNIQUE (event, path)
) STRICT;

CREATE TABLE slots (
    number     INTEGER PRIMARY KEY,
    list       TEXT    NOT NULL,
    idx        INTEGER NOT NULL CHECK (idx >= 0),
    stratum    TEXT    NOT NULL,
    commitment BLOB    NOT NULL CHECK (length(commitment) = 32),
    proof      BLOB    NOT NULL,
    erased     INTEGER NOT NULL CHECK (erased IN (0, 1)),
    nonce      BLOB    NOT NULL,
    ciphertext BLOB    NOT NULL,
    UNIQUE (list, idx)
) STRICT;
CREATE INDEX slots_by_stratum ON slots (list, stratum, idx);

-- Order: a row that would leave a gap, or start at another size than the present one, is refused.
CREATE TRIGGER events_dense BEFORE INSERT ON events
WHEN NEW.idx IS NOT (SELECT coalesce(max(idx), -1) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'HEAD_STALE events.idx'); END;

CREATE TRIGGER tile_hashes_dense BEFORE INSERT ON tile_hashes
WHEN NEW.position IS NOT (SELECT coalesce(max(position), -1) + 1 FROM tile_hashes WHERE level = NEW.level)
BEGIN SELECT RAISE(ABORT, 'HEAD_STALE tile_hashes.position'); END;

CREATE TRIGGER log_head_next BEFORE INSERT ON log_head
WHEN NEW.base IS NOT coalesce((SELECT size FROM log_head ORDER BY base DESC LIMIT 1), 0)
    OR NEW.size IS NOT (SELECT max(idx) + 1 FROM events)
    OR NEW.size IS NOT (SELECT max(position) + 1 FROM tile_hashes WHERE level = 0)
BEGIN SELECT RAISE(ABORT, 'HEAD_STALE log_head.base'); END;

-- No change and no loss.
CREATE TRIGGER streams_no_update BEFORE UPDATE ON streams
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY streams'); END;
CREATE TRIGGER streams_no_delete BEFORE DELETE ON streams
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY streams'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY events'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY events'); END;
CREATE TRIGGER tile_hashes_no_update BEFORE UPDATE ON tile_hashes
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY tile_hashes'); END;
CREATE TRIGGER tile_hashes_no_delete BEFORE DELETE ON tile_hashes
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY tile_hashes'); END;
CREATE TRIGGER log_head_no_update BEFORE UPDATE ON log_head
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY log_head'); END;
CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY log_head'); END;
CREATE TRIGGER guards_no_update BEFORE UPDATE ON guards
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY guards'); END;
CREATE TRIGGER guards_no_delete BEFORE DELETE ON guards
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY guards'); END;
CREATE TRIGGER attachments_no_update BEFORE UPDATE ON attachments
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY attachments'); END;
CREATE TRIGGER attachments_no_delete BEFORE DELETE ON attachments
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY attachments'); END;

-- Erasable rows change once: to zeros of the same length, everything else as it was.
CREATE TRIGGER disclosures_only_erase BEFORE UPDATE ON disclosures
WHEN OLD.erased OR NOT (
    NEW.erased AND NEW.number = OLD.number AND NEW.event = OLD.event AND NEW.path = OLD.path
    AND NEW.scope = OLD.scope AND NEW.stream = OLD.stream
    AND NEW.nonce = zeroblob(length(OLD.nonce)) AND NEW.ciphertext = zeroblob(length(OLD.ciphertext)))
BEGIN SELECT RAISE(ABORT, 'ERASE_ONLY disclosures'); END;
CREATE TRIGGER disclosures_no_delete BEFORE DELETE ON disclosures
BEGIN SELECT RAISE(ABORT, 'ERASE_ONLY disclosures'); END;
CREATE TRIGGER slots_only_erase BEFORE UPDATE ON slots
WHEN OLD.erased OR NOT (
    NEW.erased AND NEW.number = OLD.number AND NEW.list = OLD.list AND NEW.idx = OLD.idx
    AND NEW.stratum = OLD.stratum AND NEW.commitment = OLD.commitment AND NEW.proof = OLD.proof
    AND NEW.nonce = zeroblob(length(OLD.nonce)) AND NEW.ciphertext = zeroblob(length(OLD.ciphertext)))
BEGIN SELECT RAISE(ABORT, 'ERASE_ONLY slots'); END;
CREATE TRIGGER slots_no_delete BEFORE DELETE ON slots
BEGIN SELECT RAISE(ABORT, 'ERASE_ONLY slots'); END;
