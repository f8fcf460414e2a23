-- Kept views, beside the positions of `ledger/store/tracking.sql` in projections.db. All of it follows from the log.

-- name: create
CREATE TABLE IF NOT EXISTS states (
    projection TEXT NOT NULL,
    key        TEXT NOT NULL,
    state      BLOB NOT NULL,
    PRIMARY KEY (projection, key)
) STRICT, WITHOUT ROWID

-- name: put
INSERT INTO states (projection, key, state) VALUES (?, ?, ?)
ON CONFLICT (projection, key) DO UPDATE SET state = excluded.state

-- name: get
SELECT state FROM states WHERE projection = ? AND key = ?

-- name: all
SELECT key, state FROM states WHERE projection = ? ORDER BY key

-- name: forget
DELETE FROM states WHERE projection = ?

-- name: forget_others
DELETE FROM states WHERE projection NOT IN (SELECT value FROM json_each(?))
