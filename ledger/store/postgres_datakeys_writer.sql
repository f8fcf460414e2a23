-- What the role that keeps data keys may do: read, add keys, destroy them. {schema} and {writer} are filled in.
--
-- MAINTAIN lets it rewrite the table after a key was destroyed, which takes the old row version away.

GRANT USAGE ON SCHEMA {schema} TO {writer};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {writer};
GRANT INSERT ON data_keys TO {writer};
GRANT UPDATE (destroyed, wrapped) ON data_keys TO {writer};
GRANT MAINTAIN ON data_keys TO {writer};
