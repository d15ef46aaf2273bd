-- Newest first, of a project and of a buyer. Both are written once an order, when it is made.
CREATE INDEX orders_of_project ON orders (project_id, order_key);
CREATE INDEX orders_of_channel ON orders (channel_key, order_key);
