-- People look for the few orders with a flag among very many: newest first, as lists are.
CREATE TABLE order_flags (
    project_id INTEGER NOT NULL,
    flag       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    order_key  INTEGER NOT NULL,
    PRIMARY KEY (project_id, flag, created_at, order_key)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO order_flags (project_id, flag, created_at, order_key)
SELECT o.project_id, f.value, o.created_at, o.order_key
FROM orders o, json_each(o.facets, '$.flags') f;
