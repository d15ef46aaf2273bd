-- Sources come and go while the server runs, and have more than a secret.
ALTER TABLE sources ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
-- With which the provider's own API is asked; sealed, as the secrets are.
ALTER TABLE sources ADD COLUMN api_key TEXT;
-- The one before, while both are accepted.
ALTER TABLE sources ADD COLUMN secret_before TEXT;
ALTER TABLE sources ADD COLUMN before_until INTEGER;
ALTER TABLE sources ADD COLUMN ended_at INTEGER;
CREATE INDEX sources_of_project ON sources (project_id);
-- Lists of what waits or was not understood.
CREATE INDEX inbox_by_state ON provider_inbox (project_id, state, inbox_id) WHERE state IN ('parked', 'unknown', 'rejected');
