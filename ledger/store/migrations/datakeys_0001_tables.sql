-- Wrapped data keys in PostgreSQL: one schema, in a cluster that is not the events'. What is said of each in
-- datakeys.sql holds here too, but for one thing: an update leaves the old row version behind until the table is
-- rewritten, which whoever destroys a key does at once.

-- One row: opens under the key-encryption key that the schema was made with, and under no other.
CREATE TABLE kek_check (
    one    integer NOT NULL CONSTRAINT kek_check_one PRIMARY KEY CHECK (one = 1),
    sealed bytea   NOT NULL
);

-- wrapped = 12 bytes of nonce, 32 of key, 16 of tag; all zero once destroyed.
CREATE TABLE data_keys (
    number    bigint  GENERATED ALWAYS AS IDENTITY CONSTRAINT data_keys_number PRIMARY KEY,
    stream    text    COLLATE "C" NOT NULL,
    scope     text    COLLATE "C" NOT NULL,
    destroyed boolean NOT NULL DEFAULT false,
    wrapped   bytea   NOT NULL CHECK (length(wrapped) = 60)
);
CREATE UNIQUE INDEX live_data_keys ON data_keys (stream, scope) WHERE NOT destroyed;
CREATE INDEX data_keys_by_name ON data_keys (stream, scope);

CREATE TABLE migrations (
    number  integer     NOT NULL CONSTRAINT migrations_number PRIMARY KEY,
    name    text        NOT NULL,
    sha256  bytea       NOT NULL CHECK (length(sha256) = 32),
    applied timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION check_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.destroyed OR NOT NEW.destroyed OR NEW.wrapped <> decode(repeat('00', 60), 'hex')
        OR (NEW.number, NEW.stream, NEW.scope) IS DISTINCT FROM (OLD.number, OLD.stream, OLD.scope) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = 'ERASE_ONLY ' || TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = 'APPEND_ONLY ' || TG_TABLE_NAME;
END $$;

CREATE TRIGGER data_keys_are_destroyed_once BEFORE UPDATE ON data_keys
    FOR EACH ROW EXECUTE FUNCTION check_destroyed();
CREATE TRIGGER data_keys_keep_their_row BEFORE DELETE OR TRUNCATE ON data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kek_check_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kek_check
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER migrations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON migrations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE data_keys ENABLE ALWAYS TRIGGER data_keys_are_destroyed_once,
    ENABLE ALWAYS TRIGGER data_keys_keep_their_row;
ALTER TABLE kek_check ENABLE ALWAYS TRIGGER kek_check_append_only;
ALTER TABLE migrations ENABLE ALWAYS TRIGGER migrations_append_only;
