-- Keys come and go while the server runs: several a project, with scopes or a kid, and an end that
-- stays on record because versions name the key that made them.
CREATE TABLE credentials_next (
    credential_id INTEGER PRIMARY KEY,
    project_id    INTEGER NOT NULL REFERENCES projects,
    kind          TEXT NOT NULL CHECK (kind IN ('api_key', 'hs256', 'rs256', 'es256', 'eddsa', 'jwks_url')),
    -- What logs and versions call it; of an API key its first characters.
    name          TEXT NOT NULL,
    -- What its owner calls it.
    label         TEXT NOT NULL,
    -- NULL: tokens of any kid are tried with it.
    kid           TEXT,
    -- API keys only: "*" or names between spaces.
    scopes        TEXT NOT NULL,
    -- SHA-256 of an API key; a shared secret; a public key; an address. Empty once it has ended.
    value         BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    -- The key that made it; "" for those that came with their project.
    created_by    TEXT NOT NULL,
    last_used_at  INTEGER,
    ended_at      INTEGER
) STRICT;
-- Until now the name of a JWT key was its kid too, but nobody had chosen it.
INSERT INTO credentials_next
    SELECT credential_id, project_id, kind, name, name, NULL,
           CASE kind WHEN 'api_key' THEN '*' ELSE '' END, value, created_at, '', NULL, NULL
    FROM credentials;
DROP TABLE credentials;
ALTER TABLE credentials_next RENAME TO credentials;
CREATE INDEX credentials_of_project ON credentials (project_id);
CREATE UNIQUE INDEX credentials_by_api_key ON credentials (value) WHERE kind = 'api_key' AND ended_at IS NULL;
CREATE UNIQUE INDEX credentials_by_kid ON credentials (project_id, kind, kid) WHERE kid IS NOT NULL AND ended_at IS NULL;

-- The last key set that an address gave, so that a restart does not need it.
CREATE TABLE key_sets (
    credential_id INTEGER PRIMARY KEY REFERENCES credentials,
    body          TEXT NOT NULL,
    fetched_at    INTEGER NOT NULL
) STRICT;

-- What a project asks of its users' JWTs. Without a row: the user is in `sub`, all else is free.
CREATE TABLE token_rules (
    project_id INTEGER PRIMARY KEY REFERENCES projects,
    user_claim TEXT NOT NULL,
    audiences  TEXT NOT NULL,
    issuers    TEXT NOT NULL
) STRICT;

-- Payment tokens beside the one that an order was made with (orders.token_hash), and links to orders.
CREATE TABLE order_tokens (
    token_id   INTEGER PRIMARY KEY,
    order_key  INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('payment', 'link')),
    -- SHA-256 of the secret half.
    hash       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
CREATE INDEX order_tokens_of_order ON order_tokens (order_key);
