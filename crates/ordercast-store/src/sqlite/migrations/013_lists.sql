-- Lists and jobs find their rows by an index in every state, however many rows of other states there are.

-- What the shop has not taken yet, of a feed of which it has taken nearly all.
CREATE INDEX events_unacknowledged ON events (project_id, number) WHERE acknowledged_at IS NULL;

-- A partial index serves only a statement that names its states in words, and lists bind them.
DROP INDEX deliveries_dead;
CREATE INDEX deliveries_by_state ON deliveries (endpoint_id, state, delivery_id);

-- The keys of one project that count, among all that have ended: read when one of them changes.
CREATE INDEX credentials_live ON credentials (project_id) WHERE ended_at IS NULL;
