-- Tables of a ledger in PostgreSQL: one schema, one log. What is said of each in schema.sql holds here too.
--
-- Text is compared by code point, so that order is the same on every server. Constraints have names, because
-- refusals are told apart by them.

CREATE TABLE streams (
    stream text  COLLATE "C" NOT NULL CONSTRAINT streams_stream PRIMARY KEY,
    tag    bytea NOT NULL CONSTRAINT streams_tag UNIQUE CHECK (length(tag) = 32),
    salt   bytea NOT NULL CHECK (length(salt) = 32)
);

CREATE TABLE events (
    idx       bigint  NOT NULL CONSTRAINT events_idx PRIMARY KEY CHECK (idx >= 0),
    at        text    COLLATE "C" NOT NULL,
    stream    text    COLLATE "C" NOT NULL,
    seq       bigint  NOT NULL CHECK (seq > 0),
    type      text    COLLATE "C" NOT NULL,
    schema    integer NOT NULL CHECK (schema > 0),
    id        text    COLLATE "C" NOT NULL CONSTRAINT events_id UNIQUE,
    event     bytea   NOT NULL CONSTRAINT events_event UNIQUE CHECK (length(event) = 32),
    statement bytea   NOT NULL,
    leaf      bytea   NOT NULL,
    CONSTRAINT events_stream_seq UNIQUE (stream, seq)
);

CREATE TABLE tile_hashes (
    level    integer NOT NULL CHECK (level >= 0),
    position bigint  NOT NULL CHECK (position >= 0),
    hash     bytea   NOT NULL CHECK (length(hash) = 32),
    CONSTRAINT tile_hashes_position PRIMARY KEY (level, position)
);

CREATE TABLE log_head (
    base     bigint NOT NULL CONSTRAINT log_head_base PRIMARY KEY CHECK (base >= 0),
    size     bigint NOT NULL CHECK (size > base),
    root     bytea  NOT NULL CHECK (length(root) = 32),
    frontier bytea  NOT NULL,
    note     bytea  NOT NULL
);

CREATE TABLE guards (
    kind text   COLLATE "C" NOT NULL,
    key  text   COLLATE "C" NOT NULL,
    idx  bigint NOT NULL,
    CONSTRAINT guards_kind_key PRIMARY KEY (kind, key)
);

CREATE TABLE attachments (
    sha256     bytea NOT NULL CONSTRAINT attachments_sha256 PRIMARY KEY CHECK (length(sha256) = 32),
    media_type text  NOT NULL,
    data       bytea NOT NULL
);

CREATE TABLE disclosures (
    event      bytea   NOT NULL,
    path       text    COLLATE "C" NOT NULL,
    scope      text    NOT NULL,
    stream     text    COLLATE "C" NOT NULL,
    erased     boolean NOT NULL,
    nonce      bytea   NOT NULL,
    ciphertext bytea   NOT NULL,
    CONSTRAINT disclosures_event_path PRIMARY KEY (event, path)
);

CREATE TABLE slots (
    list       text    COLLATE "C" NOT NULL,
    idx        bigint  NOT NULL CHECK (idx >= 0),
    stratum    text    COLLATE "C" NOT NULL,
    commitment bytea   NOT NULL CHECK (length(commitment) = 32),
    proof      bytea   NOT NULL,
    erased     boolean NOT NULL,
    nonce      bytea   NOT NULL,
    ciphertext bytea   NOT NULL,
    CONSTRAINT slots_list_idx PRIMARY KEY (list, idx)
);
CREATE INDEX slots_by_stratum ON slots (list, stratum, idx);

-- Which of these files was applied, in order. A later version only ever adds files.
CREATE TABLE migrations (
    number  integer     NOT NULL CONSTRAINT migrations_number PRIMARY KEY,
    name    text        NOT NULL,
    sha256  bytea       NOT NULL CHECK (length(sha256) = 32),
    applied timestamptz NOT NULL DEFAULT now()
);
