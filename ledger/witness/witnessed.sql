-- What others say of this ledger's checkpoints: cosignature lines of witnesses, time stamps, proofs of forks.

PRAGMA application_id = 0x544c4746;  -- "TLGF"
PRAGMA user_version = 1;

CREATE TABLE cosignatures (
    size   INTEGER NOT NULL CHECK (size > 0),
    key    TEXT    NOT NULL,
    line   TEXT    NOT NULL,
    PRIMARY KEY (size, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE forks (
    sha256 TEXT NOT NULL PRIMARY KEY,
    note   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stamps (
    size     INTEGER NOT NULL PRIMARY KEY CHECK (size > 0),
    response BLOB    NOT NULL
) STRICT;

-- The policy as the log last said it, for who asks before the log was read.
CREATE TABLE policy (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    text TEXT    NOT NULL
) STRICT;

CREATE TRIGGER cosignatures_no_update BEFORE UPDATE ON cosignatures
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY cosignatures'); END;
CREATE TRIGGER cosignatures_no_delete BEFORE DELETE ON cosignatures
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY cosignatures'); END;
CREATE TRIGGER forks_no_update BEFORE UPDATE ON forks
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY forks'); END;
CREATE TRIGGER forks_no_delete BEFORE DELETE ON forks
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY forks'); END;
