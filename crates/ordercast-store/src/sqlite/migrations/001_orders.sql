-- The order log. Keys of the hot tables grow with time, so that a commit appends to few pages.

-- One row a fact about the database itself: identity and generation make the epoch.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    project_id INTEGER PRIMARY KEY CHECK (project_id BETWEEN 1 AND 2147483647),
    name       TEXT NOT NULL,
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- API keys (value: SHA-256 of the key) and keys that verify user JWTs (value: secret or PEM).
CREATE TABLE credentials (
    credential_id INTEGER PRIMARY KEY,
    project_id    INTEGER NOT NULL REFERENCES projects,
    kind          TEXT NOT NULL CHECK (kind IN ('api_key', 'hs256', 'rs256')),
    name          TEXT NOT NULL,
    value         BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (project_id, kind, name)
) STRICT;

-- Who may post to /v1/inbox/{source}.
CREATE TABLE sources (
    source     TEXT PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects,
    provider   TEXT NOT NULL,
    secret     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    project_id  INTEGER NOT NULL REFERENCES projects,
    sku         TEXT NOT NULL,
    name        TEXT NOT NULL,
    price_minor INTEGER NOT NULL CHECK (price_minor >= 0),
    currency    TEXT NOT NULL,
    PRIMARY KEY (project_id, sku)
) STRICT, WITHOUT ROWID;

-- A buyer's personal channel: all orders of one user in one project.
CREATE TABLE channels (
    channel_key INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    user_id     TEXT NOT NULL,
    top         INTEGER NOT NULL CHECK (top BETWEEN 0 AND 2147483647),
    UNIQUE (project_id, user_id)
) STRICT;

CREATE TABLE orders (
    order_key   INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    order_id    INTEGER NOT NULL CHECK (order_id BETWEEN 1 AND 2147483647),
    channel_key INTEGER NOT NULL,
    mode        TEXT NOT NULL,
    status      TEXT NOT NULL,
    version     INTEGER NOT NULL,
    content     TEXT NOT NULL,
    facets      TEXT NOT NULL,
    token_hash  BLOB,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    UNIQUE (project_id, order_id)
) STRICT;

-- Append-only history of every order: who changed it, why, and where it was published.
CREATE TABLE order_versions (
    order_key INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    status    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    "offset"  INTEGER,
    PRIMARY KEY (order_key, version)
) STRICT, WITHOUT ROWID;

-- Append-only; the rowid is the global position.
CREATE TABLE publications (
    position    INTEGER PRIMARY KEY,
    channel_key INTEGER NOT NULL,
    "offset"    INTEGER NOT NULL,
    order_id    INTEGER NOT NULL,
    status      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (channel_key, "offset")
) STRICT;

-- What the shop's backend is told; one id for the pull feed and the outgoing webhooks.
CREATE TABLE events (
    event_id        INTEGER PRIMARY KEY,
    project_id      INTEGER NOT NULL,
    order_key       INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    type            TEXT NOT NULL,
    previous_status TEXT,
    at              INTEGER NOT NULL
) STRICT;
CREATE INDEX events_of_project ON events (project_id, event_id);

-- Raw bodies of providers, kept whatever came of them.
CREATE TABLE provider_inbox (
    inbox_id    INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    source      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    dedup_key   TEXT,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('applied', 'ignored', 'parked', 'unknown', 'rejected')),
    reason      TEXT NOT NULL,
    fact        TEXT,
    order_id    INTEGER,
    attempt     TEXT,
    duplicates  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX inbox_dedup ON provider_inbox (source, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX inbox_of_project ON provider_inbox (project_id, inbox_id);
CREATE INDEX inbox_parked_order ON provider_inbox (project_id, order_id) WHERE state = 'parked' AND order_id IS NOT NULL;
CREATE INDEX inbox_parked_attempt ON provider_inbox (project_id, attempt) WHERE state = 'parked' AND attempt IS NOT NULL;

-- Which order a provider's payment belongs to, once an event has named both.
CREATE TABLE attempts (
    project_id INTEGER NOT NULL,
    attempt    TEXT NOT NULL,
    order_key  INTEGER NOT NULL,
    PRIMARY KEY (project_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    project_id INTEGER NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    status     INTEGER NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, route, key)
) STRICT, WITHOUT ROWID;
