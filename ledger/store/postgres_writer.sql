-- What the role that writes may do: read everything, add rows, zero what is erasable. {schema} and {writer} are filled in.
--
-- MAINTAIN lets it rewrite the two erasable tables after a value was zeroed, which takes the old row versions away.

GRANT USAGE ON SCHEMA {schema} TO {writer};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {writer};
GRANT INSERT ON streams, events, tile_hashes, log_head, guards, attachments, disclosures, slots TO {writer};
GRANT UPDATE (erased, nonce, ciphertext) ON disclosures, slots TO {writer};
GRANT MAINTAIN ON disclosures, slots TO {writer};
