-- name: add_key
INSERT INTO signing_keys (id, person, key, credential, wrapped, made_us) VALUES (?, ?, ?, ?, ?, ?)

-- name: keys_of
SELECT id, person, key, credential, wrapped, made_us FROM signing_keys WHERE person = ? ORDER BY made_us, id

-- name: keys
SELECT id, person, key, credential, wrapped, made_us FROM signing_keys ORDER BY made_us, id

-- name: key
SELECT id, person, key, credential, wrapped, made_us FROM signing_keys WHERE id = ?

-- name: rewrap
UPDATE signing_keys SET wrapped = ? WHERE id = ? AND wrapped = ?

-- name: leave
INSERT INTO waiting_signatures (event, person, key, submission, until_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (event) DO UPDATE SET submission = excluded.submission, until_us = excluded.until_us

-- name: forget
DELETE FROM waiting_signatures WHERE until_us < ?

-- name: done
DELETE FROM waiting_signatures WHERE event = ?

-- name: waiting_of
SELECT event, key, submission, until_us FROM waiting_signatures WHERE person = ? AND until_us > ?
ORDER BY until_us, event
