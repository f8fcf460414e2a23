-- Statements of the SQLite store, by name.

-- name: head
SELECT size, root, frontier, note FROM log_head ORDER BY base DESC LIMIT 1

-- name: size
SELECT size FROM log_head ORDER BY base DESC LIMIT 1

-- name: head_below
SELECT size, root, frontier, note FROM log_head WHERE base <= ? ORDER BY base DESC LIMIT 1

-- name: sizes
SELECT coalesce((SELECT size FROM log_head ORDER BY base DESC LIMIT 1), 0),
    coalesce((SELECT idx + 1 FROM events ORDER BY idx DESC LIMIT 1), 0)

-- name: entries
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE idx >= ? AND idx < ? ORDER BY idx

-- name: entries_of_types
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE idx >= ? AND idx < ? AND type IN (SELECT value FROM json_each(?)) ORDER BY idx

-- name: stream_entries
SELECT idx, at, stream, seq, type, schema, id, event, statement, leaf
FROM events WHERE stream = ? AND seq >= ? AND seq < ? ORDER BY seq

-- name: index_of_event
SELECT idx FROM events WHERE event = ?

-- name: index_of_id
SELECT idx FROM events WHERE id = ?

-- name: ids_taken
SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))

-- name: stream
SELECT stream, tag, salt FROM streams WHERE stream = ?

-- name: stream_by_tag
SELECT stream, tag, salt FROM streams WHERE tag = ?

-- name: streams
SELECT stream, tag, salt FROM streams ORDER BY stream

-- name: stream_head
SELECT seq, event FROM events WHERE stream = ? ORDER BY seq DESC LIMIT 1

-- name: disclosures
SELECT event, path, scope, stream, nonce, ciphertext
FROM disclosures WHERE event = ? AND NOT erased ORDER BY path

-- name: guard
SELECT idx FROM guards WHERE kind = ? AND key = ?

-- name: guards
SELECT kind, key, idx FROM guards WHERE kind = ? ORDER BY key

-- name: attachment
SELECT sha256, media_type, data FROM attachments WHERE sha256 = ?

-- name: attachment_exists
SELECT 1 FROM attachments WHERE sha256 = ?

-- name: tile_hashes
SELECT hash FROM tile_hashes WHERE level = ? AND position >= ? AND position < ? ORDER BY position

-- name: slot
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext
FROM slots WHERE list = ? AND idx = ? AND NOT erased

-- name: next_slot
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext
FROM slots WHERE list = ? AND stratum = ? AND idx > ? AND NOT erased ORDER BY idx LIMIT 1

-- name: count_slots
SELECT count(*) FROM slots WHERE list = ? AND NOT erased

-- name: counts
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM tile_hashes), (SELECT count(*) FROM guards),
    (SELECT count(*) FROM disclosures WHERE NOT erased), (SELECT count(*) FROM slots WHERE NOT erased)

-- name: insert_event
INSERT INTO events (idx, at, stream, seq, type, schema, id, event, statement, leaf)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_tile_hash
INSERT INTO tile_hashes (level, position, hash) VALUES (?, ?, ?)

-- name: insert_head
INSERT INTO log_head (base, size, root, frontier, note) VALUES (?, ?, ?, ?, ?)

-- name: insert_stream
INSERT INTO streams (stream, tag, salt) VALUES (?, ?, ?)

-- name: insert_guard
INSERT INTO guards (kind, key, idx) VALUES (?, ?, ?)

-- name: insert_disclosure
INSERT INTO disclosures (event, path, scope, stream, erased, nonce, ciphertext) VALUES (?, ?, ?, ?, 0, ?, ?)

-- name: insert_attachment
INSERT INTO attachments (sha256, media_type, data) VALUES (?, ?, ?)

-- name: insert_slot
INSERT INTO slots (list, idx, stratum, commitment, proof, erased, nonce, ciphertext)
VALUES (?, ?, ?, ?, ?, 0, ?, ?)

-- name: erase_disclosure
UPDATE disclosures
SET erased = 1, nonce = zeroblob(length(nonce)), ciphertext = zeroblob(length(ciphertext))
WHERE event = ? AND path = ? AND NOT erased

-- name: erase_slots
UPDATE slots
SET erased = 1, nonce = zeroblob(length(nonce)), ciphertext = zeroblob(length(ciphertext))
WHERE list = ? AND NOT erased

-- name: commits
SELECT base, size, root, frontier, note FROM log_head WHERE base >= ? AND base < ? ORDER BY base

-- name: guards_between
SELECT kind, key, idx FROM guards WHERE idx >= ? AND idx < ? ORDER BY idx, kind, key

-- name: disclosures_between
SELECT e.idx, d.event, d.path, d.scope, d.stream, d.nonce, d.ciphertext, d.erased
FROM events AS e JOIN disclosures AS d ON d.event = e.event WHERE e.idx >= ? AND e.idx < ? ORDER BY e.idx, d.path

-- name: attachment_names
SELECT sha256 FROM attachments ORDER BY sha256

-- name: all_slots
SELECT list, idx, stratum, commitment, proof, nonce, ciphertext, erased FROM slots ORDER BY list, idx
