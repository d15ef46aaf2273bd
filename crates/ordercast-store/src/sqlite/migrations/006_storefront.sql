-- The catalogue gets kinds and several prices; what an item is stands in one JSON value, because it is
-- read and written as a whole.
CREATE TABLE items_next (
    item_id    INTEGER PRIMARY KEY CHECK (item_id BETWEEN 1 AND 2147483647),
    project_id INTEGER NOT NULL REFERENCES projects,
    sku        TEXT NOT NULL,
    item       TEXT NOT NULL,
    UNIQUE (project_id, sku)
) STRICT;
INSERT INTO items_next (project_id, sku, item)
    SELECT project_id, sku, json_object(
        'sku', sku, 'name', name, 'type', 'virtual_good',
        'is_free', json(CASE price_minor WHEN 0 THEN 'true' ELSE 'false' END),
        'prices', json_array(json_object(
            'price', json_object('minor', price_minor, 'currency', currency))))
    FROM items ORDER BY project_id, sku;
DROP TABLE items;
ALTER TABLE items_next RENAME TO items;

-- What a user has of a virtual currency. The shop fills it, orders and their cancellation change it.
CREATE TABLE balances (
    project_id INTEGER NOT NULL REFERENCES projects,
    user_id    TEXT NOT NULL,
    currency   TEXT NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 1000000000000000),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, user_id, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE carts (
    cart_key   INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects,
    user_id    TEXT NOT NULL,
    cart_id    TEXT NOT NULL,
    lines      TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (project_id, user_id, cart_id)
) STRICT;
-- Finds the abandoned ones.
CREATE INDEX carts_by_age ON carts (updated_at);

-- Payment tokens without an order: what is to be paid is only described. AUTOINCREMENT, so that a
-- token of a deleted session never names another.
CREATE TABLE payment_sessions (
    session_id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects,
    user_id    TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    mode       TEXT NOT NULL,
    purchase   TEXT NOT NULL,
    checkout   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payment_sessions_by_end ON payment_sessions (expires_at);
