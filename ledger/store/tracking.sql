-- How far each projection has read, beside what it has derived. Everything here can be thrown away and rebuilt.

PRAGMA application_id = 0x544c4750;  -- "TLGP"
PRAGMA user_version = 1;

CREATE TABLE tracking (
    projection      TEXT    NOT NULL PRIMARY KEY,
    notification_id INTEGER NOT NULL CHECK (notification_id > 0)
) STRICT, WITHOUT ROWID;
