-- Kept states, beside the positions of tracking.sql in projections.db. All of it follows from the log.

CREATE TABLE IF NOT EXISTS states (
    projection TEXT NOT NULL,  -- name/version
    key        TEXT NOT NULL,
    state      BLOB NOT NULL,  -- sorted JSON
    PRIMARY KEY (projection, key)
) STRICT, WITHOUT ROWID
