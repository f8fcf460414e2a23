-- Order: rows that would leave a gap, start at another size than the present one, or belong to nothing, are refused.
--
-- Checked once for a statement, over the rows that it added. Keys are unique and nothing is ever deleted, so rows
-- that follow on an existing one follow on the newest, and what is referred to stays. search_path is fixed for each
-- function: no table of the caller's own can stand in for one of these.

CREATE FUNCTION check_events() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    lowest  bigint;
    highest bigint;
    added   bigint;
BEGIN
    SELECT min(idx), max(idx), count(*) INTO lowest, highest, added FROM new_rows;
    IF highest - lowest + 1 <> added
        OR (lowest > 0 AND NOT EXISTS (SELECT FROM events WHERE idx = lowest - 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'HEAD_STALE events.idx';
    END IF;
    IF EXISTS (SELECT FROM new_rows AS n WHERE NOT EXISTS (SELECT FROM streams AS s WHERE s.stream = n.stream)) THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'NO_STREAM events.stream';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_tile_hashes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT level, min(position) AS lowest, max(position) AS highest, count(*) AS added
            FROM new_rows GROUP BY level
        ) AS n
        WHERE n.highest - n.lowest + 1 <> n.added OR (n.lowest > 0 AND NOT EXISTS (
            SELECT FROM tile_hashes AS t WHERE t.level = n.level AND t.position = n.lowest - 1))
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'HEAD_STALE tile_hashes.position';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_log_head() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    start  bigint;
    finish bigint;
BEGIN
    SELECT base, size INTO start, finish FROM new_rows;
    IF (SELECT count(*) FROM new_rows) <> 1
        OR start IS DISTINCT FROM coalesce(
            (SELECT size FROM log_head WHERE base < start ORDER BY base DESC LIMIT 1), 0)
        OR finish IS DISTINCT FROM (SELECT max(idx) + 1 FROM events)
        OR finish IS DISTINCT FROM (SELECT max(position) + 1 FROM tile_hashes WHERE level = 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'HEAD_STALE log_head.base';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_disclosures() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows AS n WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.event = n.event)) THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'NO_EVENT disclosures.event';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER events_order AFTER INSERT ON events REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION check_events();
CREATE TRIGGER tile_hashes_order AFTER INSERT ON tile_hashes REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION check_tile_hashes();
CREATE TRIGGER log_head_order AFTER INSERT ON log_head REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION check_log_head();
CREATE TRIGGER disclosures_order AFTER INSERT ON disclosures REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION check_disclosures();

ALTER TABLE events ENABLE ALWAYS TRIGGER events_order;
ALTER TABLE tile_hashes ENABLE ALWAYS TRIGGER tile_hashes_order;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_order;
ALTER TABLE disclosures ENABLE ALWAYS TRIGGER disclosures_order;
