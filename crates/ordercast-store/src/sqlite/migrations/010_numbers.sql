-- Order numbers and event numbers are counted by project, so that no tenant sees how much another sells.
-- The last ones stand here and not in the rows, so that a database which was put back can go on beyond
-- what it may have given out since.
CREATE TABLE project_numbers (
    project_id INTEGER PRIMARY KEY,
    last_order INTEGER NOT NULL CHECK (last_order BETWEEN 0 AND 2147483647),
    last_event INTEGER NOT NULL CHECK (last_event >= 0)
) STRICT;
-- Until now all projects shared one count: what was given out is at most the number of orders beyond
-- its begin, or was walked past numbers that a shop had brought along, which are found below.
INSERT INTO project_numbers
    SELECT p.project_id,
        max(1000000, coalesce((
            SELECT max(o.order_id) FROM orders o WHERE o.project_id = p.project_id
            AND o.order_id <= 1000000 + (SELECT coalesce(max(order_key), 0) FROM orders)), 0)),
        coalesce((SELECT max(e.event_id) FROM events e WHERE e.project_id = p.project_id), 0)
    FROM projects p;

-- Numbers ahead of a project's count that its shop brought along, as runs without a gap: the count jumps
-- over a whole run at once.
CREATE TABLE taken_order_numbers (
    project_id INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL CHECK (last BETWEEN first AND 2147483647),
    PRIMARY KEY (project_id, first)
) STRICT, WITHOUT ROWID;
INSERT INTO taken_order_numbers
    SELECT project_id, min(order_id), max(order_id) FROM (
        SELECT o.project_id, o.order_id,
            o.order_id - row_number() OVER (PARTITION BY o.project_id ORDER BY o.order_id) AS run
        FROM orders o JOIN project_numbers n ON n.project_id = o.project_id
        WHERE o.order_id > n.last_order)
    GROUP BY project_id, run;

-- An event's place in the feed of its project. Those of before keep the id that shops know.
ALTER TABLE events ADD COLUMN number INTEGER;
-- What its webhooks are told apart by, the same in every attempt. Until now it was made of the epoch and
-- the id; those that are on their way keep what they had.
ALTER TABLE events ADD COLUMN public_id TEXT;
UPDATE events SET number = event_id, public_id =
    'evt_' || (SELECT group_concat(value, '') FROM (
        SELECT value FROM meta WHERE name IN ('identity', 'generation') ORDER BY name DESC))
    || '_' || event_id;
DROP INDEX events_of_project;
CREATE UNIQUE INDEX events_by_number ON events (project_id, number);

-- Event numbers that were passed over when the database was put back: a cursor between them is of a
-- state that was lost. Its reader begins again after the last event that both have.
CREATE TABLE skipped_events (
    project_id INTEGER NOT NULL,
    after      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    -- That began then.
    epoch_id   INTEGER NOT NULL,
    PRIMARY KEY (project_id, after)
) STRICT, WITHOUT ROWID;

-- Ids of keys go on beyond these when the database was put back.
CREATE TABLE key_floors (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every epoch that this database ever had, the present one last: one it does not know shows that it was
-- put back to a state before that one began.
CREATE TABLE epochs (
    epoch_id INTEGER PRIMARY KEY,
    epoch    TEXT NOT NULL UNIQUE,
    begun_at INTEGER NOT NULL,
    reason   TEXT NOT NULL
) STRICT;
