-- Secrets' verifiers and sessions of one ledger: one file, apart from the events and from their backups.
--
-- Nothing here says who exists, is active or may do what: that is in the log. A stolen copy opens no session and
-- lets nobody guess a password; what somebody writes here without the service's key lets nobody in. An older copy
-- put back opens no session that is past its limit.

PRAGMA application_id = 0x544c4741;  -- "TLGA"
PRAGMA user_version = 1;

-- What has tables in this file, by name, and the SHA-256 of the script that made them.
CREATE TABLE parts (
    name   TEXT NOT NULL PRIMARY KEY,
    script TEXT NOT NULL CHECK (length(script) = 64)
) STRICT;
