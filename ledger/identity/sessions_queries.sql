-- name: find
SELECT id, person, login, role, components, began_us, used_us, signed_us FROM sessions WHERE id = ?

-- name: of_person
SELECT id, person, login, role, components, began_us, used_us, signed_us FROM sessions WHERE person = ?
ORDER BY began_us, id

-- name: over
SELECT id, person, login, role, components, began_us, used_us, signed_us FROM sessions
WHERE used_us <= ? OR began_us <= ? ORDER BY began_us, id LIMIT ?

-- name: begin
INSERT INTO sessions (id, person, login, role, components, began_us, used_us, signed_us)
VALUES (?, ?, ?, ?, ?, ?, ?, NULL)

-- name: touch
UPDATE sessions SET used_us = max(used_us, ?) WHERE id = ?

-- name: sign
UPDATE sessions SET signed_us = ?, used_us = max(used_us, ?) WHERE id = ?

-- name: end
DELETE FROM sessions WHERE id = ?
