-- name: verifier
SELECT verifier FROM passwords WHERE person = ?

-- name: set_verifier
INSERT INTO passwords (person, verifier, set_us) VALUES (?, ?, ?)
ON CONFLICT (person) DO UPDATE SET verifier = excluded.verifier, set_us = excluded.set_us

-- name: remove_verifier
DELETE FROM passwords WHERE person = ?

-- name: rehash
UPDATE passwords SET verifier = ? WHERE person = ? AND verifier = ?

-- name: people
SELECT person, set_us FROM passwords ORDER BY person

-- name: invite
INSERT INTO invitations (person, secret, until_us) VALUES (?, ?, ?)
ON CONFLICT (person) DO UPDATE SET secret = excluded.secret, until_us = excluded.until_us

-- name: invitation
SELECT secret, until_us FROM invitations WHERE person = ?

-- name: invited
SELECT person, until_us FROM invitations ORDER BY person

-- name: redeem
DELETE FROM invitations WHERE person = ? AND secret = ?

-- name: attempts
SELECT failures, since_us, locked_us FROM attempts WHERE subject = ?

-- name: put_attempts
INSERT INTO attempts (subject, failures, since_us, locked_us) VALUES (?, ?, ?, ?)
ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, since_us = excluded.since_us,
    locked_us = excluded.locked_us

-- name: forget_attempts
DELETE FROM attempts WHERE subject = ?

-- name: forget_old_attempts
DELETE FROM attempts WHERE since_us < ? AND locked_us < ?

-- name: use_token
INSERT INTO used_tokens (token, until_us) VALUES (?, ?) ON CONFLICT (token) DO NOTHING

-- name: forget_tokens
DELETE FROM used_tokens WHERE until_us < ?
