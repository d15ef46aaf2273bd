-- A channel counts its publications for ever; offset and epoch are computed from that, so the count
-- may pass what an offset can be.
CREATE TABLE channels_next (
    channel_key INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL,
    user_id     TEXT NOT NULL,
    top         INTEGER NOT NULL CHECK (top >= 0),
    UNIQUE (project_id, user_id)
) STRICT;
INSERT INTO channels_next SELECT channel_key, project_id, user_id, top FROM channels;
DROP TABLE channels;
ALTER TABLE channels_next RENAME TO channels;
