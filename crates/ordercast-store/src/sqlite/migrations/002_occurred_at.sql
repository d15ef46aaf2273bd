-- When it happened by the provider's clock, milliseconds: kept for events that wait for their order.
ALTER TABLE provider_inbox ADD COLUMN occurred_at INTEGER;
