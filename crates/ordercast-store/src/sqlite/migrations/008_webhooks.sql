-- Where a project's events are sent to. What an endpoint is stands in one JSON value, because it is
-- read and written as a whole.
CREATE TABLE endpoints (
    endpoint_id     INTEGER PRIMARY KEY AUTOINCREMENT CHECK (endpoint_id <= 2147483647),
    project_id      INTEGER NOT NULL REFERENCES projects,
    settings        TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    -- While it is set nothing is sent, and nothing new is queued.
    disabled_at     INTEGER,
    disabled_reason TEXT,
    -- Attempts that failed since the last that did not, and the first of them.
    failures        INTEGER NOT NULL DEFAULT 0,
    failing_since   INTEGER,
    ended_at        INTEGER
) STRICT;
CREATE INDEX endpoints_of_project ON endpoints (project_id) WHERE ended_at IS NULL;

CREATE TABLE endpoint_secrets (
    secret_id   INTEGER PRIMARY KEY AUTOINCREMENT CHECK (secret_id <= 2147483647),
    endpoint_id INTEGER NOT NULL REFERENCES endpoints,
    value       BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    -- Signs until then, beside its successor.
    expires_at  INTEGER
) STRICT;
CREATE INDEX endpoint_secrets_of_endpoint ON endpoint_secrets (endpoint_id);

-- One row an event, endpoint and notification, written with the change that made the event. Those of
-- one endpoint and order are a lane: its first unfinished row alone has a next_at.
CREATE TABLE deliveries (
    delivery_id  INTEGER PRIMARY KEY,
    endpoint_id  INTEGER NOT NULL,
    event_id     INTEGER NOT NULL,
    -- Of the notifications that one event sends, which one this is.
    part         INTEGER NOT NULL,
    notification TEXT NOT NULL,
    order_key    INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'settled')),
    -- Why it is dead or settled.
    reason       TEXT,
    -- Made so far, and made since it was last put into its lane: the schedule counts these.
    attempts     INTEGER NOT NULL DEFAULT 0,
    round        INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER,
    finished_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX deliveries_of_event ON deliveries (event_id, endpoint_id, part);
CREATE INDEX deliveries_lane ON deliveries (endpoint_id, order_key, event_id, part) WHERE finished_at IS NULL;
CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_id, delivery_id);
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (endpoint_id, delivery_id) WHERE state = 'dead';

CREATE TABLE delivery_attempts (
    delivery_id INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- HTTP status; NULL: there was no answer, `error` says why.
    status      INTEGER,
    error       TEXT,
    -- That was dialled.
    address     TEXT,
    -- How the answer began.
    body        BLOB NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;

-- What the operator should know of a project's endpoints. Append-only.
CREATE TABLE operator_events (
    operator_event_id INTEGER PRIMARY KEY,
    project_id        INTEGER NOT NULL,
    type              TEXT NOT NULL,
    endpoint_id       INTEGER,
    delivery_id       INTEGER,
    detail            TEXT NOT NULL,
    at                INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_events_of_project ON operator_events (project_id, operator_event_id);

-- Taken by the shop, by an endpoint's answer or through the event API.
ALTER TABLE events ADD COLUMN acknowledged_at INTEGER;

-- From an order to its events, for buyers' clients that pull them.
ALTER TABLE order_versions ADD COLUMN event_id INTEGER;
CREATE INDEX events_by_version ON events (order_key, version);
UPDATE order_versions SET event_id = (
    SELECT e.event_id FROM events e
    WHERE e.order_key = order_versions.order_key AND e.version = order_versions.version);
DROP INDEX events_by_version;
