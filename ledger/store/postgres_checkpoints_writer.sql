-- What the role that publishes may do: read, and add rows. {schema} and {writer} are filled in.

GRANT USAGE ON SCHEMA {schema} TO {writer};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {writer};
GRANT INSERT ON checkpoints TO {writer};
