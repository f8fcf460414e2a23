-- What a witness remembers: the logs that it was told of, the newest tree that it cosigned of each, and requests
-- that a log signed and that do not fit.
--
-- Of evidence one request is kept for each tree head: a log can sign one head in many ways.
-- A row of cosigned goes forward only: no smaller tree, no earlier time, and for one size one root.

PRAGMA application_id = 0x544c4757;  -- "TLGW"
PRAGMA user_version = 1;

CREATE TABLE logs (
    origin TEXT NOT NULL PRIMARY KEY,
    keys   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cosigned (
    origin TEXT    NOT NULL PRIMARY KEY REFERENCES logs (origin),
    size   INTEGER NOT NULL CHECK (size >= 0),
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    time_s INTEGER NOT NULL CHECK (time_s > 0),
    note   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    number  INTEGER PRIMARY KEY,
    origin  TEXT    NOT NULL REFERENCES logs (origin),
    time_s  INTEGER NOT NULL,
    status  INTEGER NOT NULL,
    head    TEXT    NOT NULL UNIQUE,
    request BLOB    NOT NULL
) STRICT;

CREATE TRIGGER cosigned_forward BEFORE UPDATE ON cosigned
WHEN NEW.size < OLD.size OR NEW.time_s < OLD.time_s OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY cosigned'); END;
CREATE TRIGGER cosigned_no_delete BEFORE DELETE ON cosigned
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY cosigned'); END;
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY evidence'); END;
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY evidence'); END;
