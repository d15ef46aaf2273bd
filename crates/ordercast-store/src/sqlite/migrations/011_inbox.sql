-- A payment's id belongs to the source that gave it: two accounts, or two providers, may give the same
-- one. An id without an order is of a payment that is known to be about no order of the project.
CREATE TABLE attempts_next (
    project_id INTEGER NOT NULL,
    attempt    TEXT NOT NULL,
    -- "": from before sources were kept here, and nothing tells whose it was.
    source     TEXT NOT NULL,
    order_key  INTEGER,
    -- What the order calls it, where two sources gave it payments of one id; NULL: by its id.
    name       TEXT,
    PRIMARY KEY (project_id, attempt, source)
) STRICT, WITHOUT ROWID;
-- What a source itself has named, the earliest first.
INSERT OR IGNORE INTO attempts_next (project_id, attempt, source, order_key)
    SELECT i.project_id, i.attempt, i.source, o.order_key FROM provider_inbox i
    JOIN orders o ON o.project_id = i.project_id AND o.order_id = i.order_id
    WHERE i.attempt IS NOT NULL AND i.state IN ('applied', 'ignored') ORDER BY i.inbox_id;
-- What a source moved an order with, by the payment's id alone.
INSERT OR IGNORE INTO attempts_next (project_id, attempt, source, order_key)
    SELECT i.project_id, i.attempt, i.source, a.order_key FROM provider_inbox i
    JOIN attempts a ON a.project_id = i.project_id AND a.attempt = i.attempt
    WHERE i.order_id IS NULL AND i.state = 'applied' ORDER BY i.inbox_id;
-- Of the rest the bodies are gone: the order's history says which source it was, if it was one.
INSERT OR IGNORE INTO attempts_next (project_id, attempt, source, order_key)
    SELECT a.project_id, a.attempt,
        coalesce((SELECT CASE count(DISTINCT v.actor) WHEN 1 THEN substr(min(v.actor), 10) END
                  FROM order_versions v
                  WHERE v.order_key = a.order_key AND v.actor LIKE 'provider:%'), ''),
        a.order_key
    FROM attempts a
    WHERE NOT EXISTS (SELECT 1 FROM attempts_next n
                      WHERE n.project_id = a.project_id AND n.attempt = a.attempt);
DROP TABLE attempts;
ALTER TABLE attempts_next RENAME TO attempts;

-- A webhook that waits may be put aside, by a person or by age, and one that needs a person says so.
CREATE TABLE provider_inbox_next (
    inbox_id    INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    source      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    dedup_key   TEXT,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN
                    ('applied', 'ignored', 'parked', 'unknown', 'rejected', 'expired', 'dismissed')),
    reason      TEXT NOT NULL,
    fact        TEXT,
    order_id    INTEGER,
    attempt     TEXT,
    duplicates  INTEGER NOT NULL DEFAULT 0,
    -- When it happened by the provider's clock, milliseconds: kept for events that wait for their order.
    occurred_at INTEGER,
    -- What stood where an order's number belongs, and is none.
    named       TEXT,
    -- Why a person should look at it; NULL once one did, or when nothing is the matter.
    attention   TEXT,
    -- Who dismissed it or matched it by hand.
    handled_by  TEXT,
    handled_at  INTEGER
) STRICT;
INSERT INTO provider_inbox_next (inbox_id, project_id, source, kind, dedup_key, body, received_at, state,
        reason, fact, order_id, attempt, duplicates, occurred_at, attention)
    SELECT inbox_id, project_id, source, kind, dedup_key, body, received_at, state, reason, fact, order_id,
        attempt, duplicates, occurred_at,
        CASE state WHEN 'rejected' THEN 'unreadable' WHEN 'unknown' THEN 'unknown_word' END
    FROM provider_inbox ORDER BY inbox_id;
DROP TABLE provider_inbox;
ALTER TABLE provider_inbox_next RENAME TO provider_inbox;
CREATE UNIQUE INDEX inbox_dedup ON provider_inbox (source, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX inbox_of_project ON provider_inbox (project_id, inbox_id);
CREATE INDEX inbox_by_state ON provider_inbox (project_id, state, inbox_id);
CREATE INDEX inbox_attention ON provider_inbox (project_id, inbox_id) WHERE attention IS NOT NULL;
CREATE INDEX inbox_parked_order ON provider_inbox (project_id, order_id)
    WHERE state = 'parked' AND order_id IS NOT NULL;
-- Also those that are put aside: that a payment began before its order holds for what comes of it later.
CREATE INDEX inbox_waiting_attempt ON provider_inbox (project_id, attempt)
    WHERE state IN ('parked', 'expired', 'dismissed') AND attempt IS NOT NULL;
-- What no longer waits, the oldest first: for its removal.
CREATE INDEX inbox_by_age ON provider_inbox (received_at) WHERE state <> 'parked';
-- What waits, the longest first: for its end by age.
CREATE INDEX inbox_parked_age ON provider_inbox (received_at) WHERE state = 'parked';
CREATE INDEX inbox_parked_new ON provider_inbox (received_at)
    WHERE state = 'parked' AND order_id IS NOT NULL AND attention IS NULL;

-- Which body came under a provider's transmission id, where the signature covers no more than a checksum
-- of it: the same id with another body is a forgery. Kept as long as such a request would be fresh.
CREATE TABLE transmissions (
    source       TEXT NOT NULL,
    transmission TEXT NOT NULL,
    body_hash    BLOB NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (source, transmission)
) STRICT, WITHOUT ROWID;
CREATE INDEX transmissions_by_age ON transmissions (at);
