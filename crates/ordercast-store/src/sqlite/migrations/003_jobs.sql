-- Lifetimes are mostly equal, so this grows at its end; an order leaves it when it is paid.
CREATE INDEX orders_expiring ON orders (expires_at) WHERE status = 'new';

-- Whose order a stored answer is about: kept as long as that order is not at its end.
ALTER TABLE idempotency ADD COLUMN order_key INTEGER;
CREATE INDEX idempotency_age ON idempotency (created_at);
