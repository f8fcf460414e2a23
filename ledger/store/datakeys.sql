-- Wrapped data keys of one ledger: one file, apart from the events and from their backups.
--
-- A key is destroyed by overwriting its row in place. Rows are only ever added at the end and keep their length,
-- so none moves to another page and leaves a copy behind. No write-ahead log either: it would keep old pages.

PRAGMA application_id = 0x544c474b;  -- "TLGK"
PRAGMA user_version = 1;

-- One row: opens under the key-encryption key that the file was made with, and under no other.
CREATE TABLE kek_check (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    sealed BLOB    NOT NULL
) STRICT;

-- wrapped = 12 bytes of nonce, 32 of key, 16 of tag; all zero once destroyed.
CREATE TABLE data_keys (
    number    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    stream    TEXT    NOT NULL,
    scope     TEXT    NOT NULL,
    destroyed INTEGER NOT NULL DEFAULT 0 CHECK (destroyed IN (0, 1)),
    wrapped   BLOB    NOT NULL CHECK (length(wrapped) = 60)
) STRICT;

CREATE UNIQUE INDEX live_data_keys ON data_keys (stream, scope) WHERE destroyed = 0;
CREATE INDEX data_keys_by_name ON data_keys (stream, scope);

CREATE TRIGGER data_keys_keep_their_row BEFORE DELETE ON data_keys
BEGIN SELECT RAISE(ABORT, 'data keys are destroyed in place'); END;

CREATE TRIGGER data_keys_are_destroyed_once BEFORE UPDATE ON data_keys
WHEN old.destroyed = 1 OR new.destroyed = 0 OR new.wrapped <> zeroblob(60)
  OR new.number <> old.number OR new.stream <> old.stream OR new.scope <> old.scope
BEGIN SELECT RAISE(ABORT, 'data keys change only by being destroyed'); END;
