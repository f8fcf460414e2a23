-- Keys that people brought or had made here, and statements that wait for a further signature.
--
-- key: the KEY object as JSON. credential: the id by which a browser finds a passkey, null for a custodial key.
-- wrapped: a key file of the record format (Argon2id and AES-256-GCM), null for a passkey. Nothing here lets
-- anybody sign, and nothing here is believed: which keys count is in the log. Times are UTC microseconds.

CREATE TABLE signing_keys (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 71),
    person     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    credential TEXT,
    wrapped    TEXT,
    made_us    INTEGER NOT NULL,
    CHECK ((credential IS NULL) <> (wrapped IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX signing_keys_by_person ON signing_keys (person, made_us);

-- submission: the JSON body of POST /statements, without the signature of `person` by `key`. It has no sealed
-- values, so nothing has to be erased here.
CREATE TABLE waiting_signatures (
    event      TEXT    NOT NULL PRIMARY KEY CHECK (length(event) = 64),
    person     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    submission TEXT    NOT NULL,
    until_us   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
