-- Verifiers of passwords, one-time secrets for a first or new password, failed attempts, tokens used once.
--
-- verifier: argon2id of a MAC of person and password under a key of the service, with its parameters in it. A
-- stolen copy of this file alone lets nobody guess, and a row that somebody else wrote here fits no password. Times are UTC microseconds.

CREATE TABLE passwords (
    person   TEXT    NOT NULL PRIMARY KEY,
    verifier TEXT    NOT NULL,
    set_us   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One at a time for each person; secret: MAC of what was printed once.
CREATE TABLE invitations (
    person   TEXT    NOT NULL PRIMARY KEY,
    secret   TEXT    NOT NULL CHECK (length(secret) = 64),
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- subject: HMAC of an address or of an id that was tried. An id that nobody has is kept in no other form: it
-- may be a password typed into the wrong field.
CREATE TABLE attempts (
    subject   TEXT    NOT NULL PRIMARY KEY CHECK (length(subject) = 64),
    failures  INTEGER NOT NULL CHECK (failures > 0),
    since_us  INTEGER NOT NULL,
    locked_us INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Tokens that may be used once, by SHA-256, until they are over anyway.
CREATE TABLE used_tokens (
    token    TEXT    NOT NULL PRIMARY KEY CHECK (length(token) = 64),
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
