-- Emergency unblindings that were signed while nothing could be recorded, until they are in the log.
--
-- A row is there before the value that it tells of is shown. It is taken away once the log has it.

PRAGMA application_id = 0x544c4755;  -- "TLGU"
PRAGMA user_version = 1;

-- event: hash of the signed statement; nonce, ciphertext: its submission, sealed under a data key.
CREATE TABLE waiting (
    position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event      TEXT    NOT NULL UNIQUE CHECK (length(event) = 64),
    nonce      BLOB    NOT NULL CHECK (length(nonce) = 12),
    ciphertext BLOB    NOT NULL
) STRICT;
