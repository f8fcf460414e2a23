-- name: known
SELECT seen_us FROM places WHERE person = ? AND address = ?

-- name: let_in
INSERT INTO places (person, address, seen_us) VALUES (?, ?, ?)
ON CONFLICT (person, address) DO UPDATE SET seen_us = excluded.seen_us

-- name: forget_places
DELETE FROM places WHERE seen_us < ?

-- name: ended
INSERT INTO ended (id, until_us) VALUES (?, ?) ON CONFLICT (id) DO NOTHING

-- name: was_over
SELECT until_us FROM ended WHERE id = ?

-- name: forget_ended
DELETE FROM ended WHERE until_us < ?
