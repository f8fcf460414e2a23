-- Open sessions. A row is there from the login to the end; what is over is in the log (`session.ended`).
--
-- id: MAC of what the session's holder has. mac: of the whole row, under a key of the service, so that a row which
-- somebody else wrote here opens nothing. login: event hash of its `login.succeeded`. role: the one in
-- use, where one was named. components: of the login, comma-separated. Times are UTC microseconds; signed_us is
-- when a second component was last given for a signature.

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 64),
    person     TEXT    NOT NULL,
    login      TEXT    NOT NULL CHECK (length(login) = 64),
    role       TEXT,
    components TEXT    NOT NULL,
    began_us   INTEGER NOT NULL,
    used_us    INTEGER NOT NULL CHECK (used_us >= began_us),
    signed_us  INTEGER,
    mac        TEXT    NOT NULL CHECK (length(mac) = 64)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_person ON sessions (person);
CREATE INDEX sessions_by_use ON sessions (used_us);
