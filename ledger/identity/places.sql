-- Where people were let in from, so that failures from elsewhere are told from their own; ends of sessions.
--
-- person, address: HMAC of each under a key of the service. seen_us: the newest success, UTC microseconds.

CREATE TABLE places (
    person  TEXT    NOT NULL CHECK (length(person) = 64),
    address TEXT    NOT NULL CHECK (length(address) = 64),
    seen_us INTEGER NOT NULL,
    PRIMARY KEY (person, address)
) STRICT, WITHOUT ROWID;

-- Sessions that were over by a limit, by the MAC of what their holder has, for as long as that is told.
CREATE TABLE ended (
    id       TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 64),
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
