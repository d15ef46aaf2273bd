-- Which orders nobody vouches for: a guest's, with the end of its life, so that what was never paid for
-- can be found and deleted.
CREATE TABLE guest_orders (
    expires_at INTEGER NOT NULL,
    order_key  INTEGER NOT NULL,
    PRIMARY KEY (expires_at, order_key)
) STRICT, WITHOUT ROWID;
INSERT INTO guest_orders (expires_at, order_key)
    SELECT o.expires_at, o.order_key FROM channels c JOIN orders o ON o.channel_key = c.channel_key
    WHERE c.user_id >= 'guest:' AND c.user_id < 'guest;' AND o.status IN ('new', 'expired');

-- Guests are let in where a project wants them. Projects that have some go on as they were.
UPDATE projects SET settings = json_set(settings, '$.guests', json('true'))
    WHERE EXISTS (SELECT 1 FROM channels c WHERE c.project_id = projects.project_id
                  AND c.user_id >= 'guest:' AND c.user_id < 'guest;')
       OR EXISTS (SELECT 1 FROM carts c WHERE c.project_id = projects.project_id
                  AND c.user_id >= 'guest:' AND c.user_id < 'guest;');

-- The newest of a user, of which there may be only so many.
CREATE INDEX payment_sessions_of_user ON payment_sessions (project_id, user_id, session_id);
