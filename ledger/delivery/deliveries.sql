PRAGMA application_id = 0x544C4744;
PRAGMA user_version = 1;

CREATE TABLE proposals (
    digest TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    config BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    public TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One place of an endpoint: its own (ordered = the statement that began it), and one for each replay.
CREATE TABLE lanes (
    endpoint TEXT NOT NULL,
    ordered INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    stop INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    since_us INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (endpoint, ordered, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    endpoint TEXT NOT NULL,
    idx INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    parked_us INTEGER NOT NULL,
    trouble TEXT NOT NULL,
    PRIMARY KEY (endpoint, idx)
) STRICT, WITHOUT ROWID;

-- Endpoints that answered 410 Gone, and the statement that was in force then: a newer one lifts it.
CREATE TABLE gone (
    endpoint TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
