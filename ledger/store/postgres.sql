-- Statements of the PostgreSQL store, by name. The rows of a commit come one by one or by COPY (`postgres_append`), those
-- of everything else as one array for each column. What checks their order looks when a statement has ended.

-- name: head
SELECT size, root, frontier, note FROM log_head ORDER BY base DESC LIMIT 1

-- name: size
SELECT size FROM log_head ORDER BY base DESC LIMIT 1

-- name: head_below
SELECT size, root, frontier, note FROM log_head WHERE base <= %s::int8 ORDER BY base DESC LIMIT 1

-- name: sizes
SELECT coalesce((SELECT size FROM log_head ORDER BY base DESC LIMIT 1), 0),
    coalesce((SELECT idx + 1 FROM events ORDER BY idx DESC LIMIT 1), 0)

-- name: entries
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE idx >= %s::int8 AND idx < %s::int8 ORDER BY idx

-- name: entries_of_types
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE idx >= %s::int8 AND idx < %s::int8
AND type IN (SELECT jsonb_array_elements_text(%s::jsonb)) ORDER BY idx

-- name: stream_entries
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE stream = %s::text AND seq >= %s::int8 AND seq < %s::int8 ORDER BY seq

-- name: index_of_event
SELECT idx FROM events WHERE event = %s::bytea

-- name: index_of_id
SELECT idx FROM events WHERE id = %s::text

-- name: indexes_of_ids
SELECT id, idx FROM events WHERE id = ANY(%s::text[])

-- name: ids_taken
SELECT id FROM events WHERE id IN (SELECT jsonb_array_elements_text(%s::jsonb))

-- name: stream
SELECT stream, tag, salt FROM streams WHERE stream = %s::text

-- name: stream_by_tag
SELECT stream, tag, salt FROM streams WHERE tag = %s::bytea

-- name: streams
SELECT stream, tag, salt FROM streams ORDER BY stream

-- name: stream_head
SELECT seq, event FROM events WHERE stream = %s::text ORDER BY seq DESC LIMIT 1

-- name: disclosures
SELECT event, path, scope, stream, nonce, ciphertext
FROM disclosures WHERE event = %s::bytea AND NOT erased ORDER BY path

-- name: guard
SELECT idx FROM guards WHERE kind = %s::text AND key = %s::text

-- name: guards
SELECT kind, key, idx FROM guards WHERE kind = %s::text ORDER BY key

-- name: attachment
SELECT sha256, media_type, data FROM attachments WHERE sha256 = %s::bytea

-- name: attachment_exists
SELECT 1 FROM attachments WHERE sha256 = %s::bytea

-- name: tile_hashes
SELECT hash FROM tile_hashes
WHERE level = %s::int8 AND position >= %s::int8 AND position < %s::int8 ORDER BY position

-- name: slot
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext
FROM slots WHERE list = %s::text AND idx = %s::int8 AND NOT erased

-- name: next_slot
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext
FROM slots WHERE list = %s::text AND stratum = %s::text AND idx > %s::int8 AND NOT erased ORDER BY idx LIMIT 1

-- name: count_slots
SELECT count(*) FROM slots WHERE list = %s::text AND NOT erased

-- name: counts
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM tile_hashes), (SELECT count(*) FROM guards),
    (SELECT count(*) FROM disclosures WHERE NOT erased), (SELECT count(*) FROM slots WHERE NOT erased)

-- name: insert_stream
INSERT INTO streams (stream, tag, salt) VALUES (%s, %s, %s)

-- name: insert_event
INSERT INTO events (idx, at, stream, seq, type, schema, id, event, statement, leaf)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: insert_tile_hash
INSERT INTO tile_hashes (level, position, hash) VALUES (%s, %s, %s)

-- name: insert_guard
INSERT INTO guards (kind, key, idx) VALUES (%s, %s, %s)

-- name: insert_disclosure
INSERT INTO disclosures (event, path, scope, stream, nonce, ciphertext, erased)
VALUES (%s, %s, %s, %s, %s, %s, false)

-- name: insert_head
INSERT INTO log_head (base, size, root, frontier, note) VALUES (%s, %s, %s, %s, %s)

-- name: insert_attachment
INSERT INTO attachments (sha256, media_type, data)
SELECT * FROM unnest(%s::bytea[], %s::text[], %s::bytea[])

-- name: insert_slot
INSERT INTO slots (list, idx, stratum, commitment, proof, erased, nonce, ciphertext)
SELECT list, idx, stratum, commitment, proof, false, nonce, ciphertext
FROM unnest(%s::text[], %s::int8[], %s::text[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[])
    AS n (list, idx, stratum, commitment, proof, nonce, ciphertext)

-- name: erase_disclosure
UPDATE disclosures AS d
SET erased = true, nonce = decode(repeat('00', length(nonce)), 'hex'),
    ciphertext = decode(repeat('00', length(ciphertext)), 'hex')
FROM unnest(%s::bytea[], %s::text[]) AS w (event, path)
WHERE d.event = w.event AND d.path = w.path AND NOT d.erased

-- name: erase_slots
UPDATE slots
SET erased = true, nonce = decode(repeat('00', length(nonce)), 'hex'),
    ciphertext = decode(repeat('00', length(ciphertext)), 'hex')
WHERE list = ANY(%s::text[]) AND NOT erased

-- name: nature
SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'),
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
    (SELECT (oid::int8 - 2147483648)::int4 FROM pg_namespace WHERE nspname = %s::text)

-- name: migrations
SELECT number, name, sha256 FROM migrations ORDER BY number

-- name: excess
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = %s::text::regnamespace AND c.relkind = 'r'
AND (has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE')
    OR has_table_privilege(c.oid, 'TRIGGER')
    OR (has_any_column_privilege(c.oid, 'UPDATE') AND c.relname NOT IN ('disclosures', 'slots', 'data_keys')))

-- name: takes_writes
SELECT current_setting('transaction_read_only') = 'off'

-- name: cluster
SELECT system_identifier FROM pg_control_system()

-- name: newest_checkpoint
SELECT size, note FROM checkpoints ORDER BY previous DESC LIMIT 1

-- name: checkpoint_within
SELECT size, note FROM checkpoints WHERE size <= %s::int8 ORDER BY size DESC LIMIT 1

-- name: checkpoint
SELECT size, note FROM checkpoints WHERE size = %s::int8

-- name: insert_checkpoint
INSERT INTO checkpoints (previous, size, note) VALUES (%s, %s, %s)

-- name: key_check
SELECT sealed FROM kek_check

-- name: insert_key_check
INSERT INTO kek_check (one, sealed) VALUES (1, %s)

-- name: live_key
SELECT wrapped FROM data_keys WHERE stream = %s::text AND scope = %s::text AND NOT destroyed

-- name: known_key
SELECT 1 FROM data_keys WHERE stream = %s::text AND scope = %s::text LIMIT 1

-- Whoever was faster keeps theirs; which it was is read afterwards.
-- name: insert_keys
INSERT INTO data_keys (stream, scope, wrapped) SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
ON CONFLICT (stream, scope) WHERE NOT destroyed DO NOTHING

-- name: live_keys
SELECT d.stream, d.scope, d.wrapped FROM data_keys AS d
JOIN unnest(%s::text[], %s::text[]) AS n (stream, scope) USING (stream, scope) WHERE NOT d.destroyed

-- name: destroy_key
UPDATE data_keys SET destroyed = true, wrapped = decode(repeat('00', 60), 'hex')
WHERE stream = %s::text AND scope = %s::text AND NOT destroyed

-- name: all_keys
SELECT stream, scope, destroyed, wrapped FROM data_keys ORDER BY number

-- name: insert_key_rows
INSERT INTO data_keys (stream, scope, destroyed, wrapped)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bool[], %s::bytea[])

-- name: commits
SELECT base, size, root, frontier, note FROM log_head WHERE base >= %s::int8 AND base < %s::int8 ORDER BY base

-- name: guards_between
SELECT kind, key, idx FROM guards WHERE idx >= %s::int8 AND idx < %s::int8 ORDER BY idx, kind, key

-- name: disclosures_between
SELECT e.idx, d.event, d.path, d.scope, d.stream, d.nonce, d.ciphertext, d.erased
FROM events AS e JOIN disclosures AS d ON d.event = e.event
WHERE e.idx >= %s::int8 AND e.idx < %s::int8 ORDER BY e.idx, d.path

-- name: attachment_names
SELECT sha256 FROM attachments ORDER BY sha256

-- name: all_slots
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext, erased FROM slots ORDER BY list, idx
