-- Published checkpoints in PostgreSQL: one schema, in a cluster that is not the events'. What is said of each in
-- checkpoints.sql holds here too.

CREATE TABLE checkpoints (
    previous bigint NOT NULL CONSTRAINT checkpoints_previous PRIMARY KEY,
    size     bigint NOT NULL CONSTRAINT checkpoints_size UNIQUE CHECK (size > previous),
    note     bytea  NOT NULL
);

CREATE TABLE migrations (
    number  integer     NOT NULL CONSTRAINT migrations_number PRIMARY KEY,
    name    text        NOT NULL,
    sha256  bytea       NOT NULL CHECK (length(sha256) = 32),
    applied timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION check_next() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.previous IS DISTINCT FROM coalesce((SELECT max(size) FROM checkpoints), 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'HEAD_STALE checkpoints.previous';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = 'APPEND_ONLY ' || TG_TABLE_NAME;
END $$;

CREATE TRIGGER checkpoints_next BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION check_next();
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER migrations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON migrations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_next, ENABLE ALWAYS TRIGGER checkpoints_append_only;
ALTER TABLE migrations ENABLE ALWAYS TRIGGER migrations_append_only;
