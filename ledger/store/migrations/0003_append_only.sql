-- No change and no loss, for the owner of the tables as for everybody. The role that writes has not even the privilege.
--
-- Triggers fire for each statement, so that one which finds no row is refused too, and also while a session plays
-- a replica. An owner can drop a trigger: what was changed behind them is found by fsck and verify.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = TG_ARGV[0] || ' ' || TG_TABLE_NAME;
END $$;

CREATE TRIGGER streams_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON streams
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE streams ENABLE ALWAYS TRIGGER streams_append_only;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only;
CREATE TRIGGER tile_hashes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tile_hashes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE tile_hashes ENABLE ALWAYS TRIGGER tile_hashes_append_only;
CREATE TRIGGER log_head_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_append_only;
CREATE TRIGGER guards_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON guards
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE guards ENABLE ALWAYS TRIGGER guards_append_only;
CREATE TRIGGER attachments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON attachments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE attachments ENABLE ALWAYS TRIGGER attachments_append_only;
CREATE TRIGGER migrations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON migrations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('APPEND_ONLY');
ALTER TABLE migrations ENABLE ALWAYS TRIGGER migrations_append_only;

-- Erasable rows change once: to zeros of the same length, everything else as it was.
CREATE FUNCTION is_zeroed(present bytea, old bytea) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT present = decode(repeat('00', length(old)), 'hex') $$;

CREATE FUNCTION check_erased() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.erased OR NOT NEW.erased
        OR NOT is_zeroed(NEW.nonce, OLD.nonce) OR NOT is_zeroed(NEW.ciphertext, OLD.ciphertext)
        OR to_jsonb(NEW) - '{erased,nonce,ciphertext}'::text[] <> to_jsonb(OLD) - '{erased,nonce,ciphertext}'::text[] THEN
        RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = 'ERASE_ONLY ' || TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER disclosures_erase_only BEFORE UPDATE ON disclosures FOR EACH ROW EXECUTE FUNCTION check_erased();
CREATE TRIGGER disclosures_keep_rows BEFORE DELETE OR TRUNCATE ON disclosures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ERASE_ONLY');
ALTER TABLE disclosures ENABLE ALWAYS TRIGGER disclosures_erase_only, ENABLE ALWAYS TRIGGER disclosures_keep_rows;
CREATE TRIGGER slots_erase_only BEFORE UPDATE ON slots FOR EACH ROW EXECUTE FUNCTION check_erased();
CREATE TRIGGER slots_keep_rows BEFORE DELETE OR TRUNCATE ON slots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('ERASE_ONLY');
ALTER TABLE slots ENABLE ALWAYS TRIGGER slots_erase_only, ENABLE ALWAYS TRIGGER slots_keep_rows;
