-- By the time of their making, of a project and of a buyer. Both are written once an order, when it is
-- made, and at their end, as time grows.
CREATE INDEX orders_of_project ON orders (project_id, created_at);
CREATE INDEX orders_of_channel ON orders (channel_key, created_at);
