-- name: find
SELECT id, person, login, role, components, began_us, used_us, signed_us, mac FROM sessions WHERE id = ?

-- name: of_person
SELECT id, person, login, role, components, began_us, used_us, signed_us, mac FROM sessions WHERE person = ?
ORDER BY began_us, id

-- name: over
SELECT id, person, login, role, components, began_us, used_us, signed_us, mac FROM sessions
WHERE used_us <= ? OR began_us <= ? ORDER BY began_us, id LIMIT ?

-- name: begin
INSERT INTO sessions (id, person, login, role, components, began_us, used_us, signed_us, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: change
UPDATE sessions SET used_us = ?, signed_us = ?, mac = ? WHERE id = ?

-- name: end
DELETE FROM sessions WHERE id = ?
