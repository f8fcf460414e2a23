-- The published checkpoints: a small store apart from the events and from their backups.
--
-- One row per checkpoint, never changed. previous is the size published before it: unique, and by the trigger
-- the newest row's size, so that two publishers who saw the same newest one cannot both succeed.

PRAGMA application_id = 0x544c4743;  -- "TLGC"
PRAGMA user_version = 1;

CREATE TABLE checkpoints (
    previous INTEGER NOT NULL PRIMARY KEY,
    size     INTEGER NOT NULL UNIQUE CHECK (size > previous),
    note     BLOB    NOT NULL
) STRICT;

CREATE TRIGGER checkpoints_next BEFORE INSERT ON checkpoints
WHEN NEW.previous IS NOT coalesce((SELECT max(size) FROM checkpoints), 0)
BEGIN SELECT RAISE(ABORT, 'HEAD_STALE checkpoints.previous'); END;
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY checkpoints'); END;
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'APPEND_ONLY checkpoints'); END;
