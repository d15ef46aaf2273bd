-- Events tell more than the status, and are taken by shops and processed by buyers, each by itself.

-- What stood behind the status then (JSON), so that every attempt tells the same.
ALTER TABLE events ADD COLUMN details TEXT;

-- What buyers' clients pull: whose channel it is of, in which word it is told, and the buyer's own mark,
-- which is another one than the shop's acknowledgement.
ALTER TABLE events ADD COLUMN channel_key INTEGER;
ALTER TABLE events ADD COLUMN told TEXT;
ALTER TABLE events ADD COLUMN processed_at INTEGER;
UPDATE events SET
    channel_key = (SELECT o.channel_key FROM orders o WHERE o.order_key = events.order_key),
    told = CASE type WHEN 'order.canceled' THEN 'order_canceled' ELSE 'order_paid' END
    WHERE acknowledged_at IS NULL AND (
        (type = 'order.paid' AND previous_status IN ('new', 'expired'))
        OR (type = 'order.canceled' AND previous_status IN ('paid', 'done'))
        -- An order that costs nothing.
        OR (type = 'order.created' AND EXISTS (
            SELECT 1 FROM order_versions v WHERE v.order_key = events.order_key
            AND v.version = events.version AND v.status = 'done')));
-- Read from its beginning by one buyer's client; what is processed leaves it.
CREATE INDEX events_of_buyer ON events (channel_key, told, number)
    WHERE channel_key IS NOT NULL AND processed_at IS NULL;

-- Headers of the shop's own (JSON), sealed as its secrets are.
ALTER TABLE endpoints ADD COLUMN headers BLOB;
-- Any endpoint's answer completed orders until now. From now on the one that the shop fulfils by does:
-- of several its first in a reference mode, else its first that is told of paid orders.
UPDATE endpoints SET settings = json_set(settings, '$.completes', json('true'))
    WHERE endpoint_id IN (SELECT endpoint_id FROM (
        SELECT endpoint_id, row_number() OVER (PARTITION BY project_id ORDER BY
            json_extract(settings, '$.mode') = 'standard', disabled_at IS NOT NULL, endpoint_id) AS place
        FROM endpoints WHERE ended_at IS NULL AND (
            json_extract(settings, '$.event_types') IS NULL OR EXISTS (
                SELECT 1 FROM json_each(settings, '$.event_types')
                WHERE value IN ('order.paid', 'order_paid'))))
    WHERE place = 1);
-- The vendor's schedule was everybody's default: its first retry comes after five minutes.
UPDATE endpoints SET settings = json_set(settings, '$.schedule',
        json('[5,30,300,1800,7200,18000,36000,50400,72000,86400]'))
    WHERE json_extract(settings, '$.mode') = 'standard' AND json_extract(settings, '$.schedule') =
        '[300,300,900,900,900,900,900,900,900,3600,3600,3600,3600,3600,3600,3600,3600,3600,3600]';

-- A refusal was kept for a key as if it could never be otherwise: it is decided again from now on.
DELETE FROM idempotency WHERE status NOT BETWEEN 200 AND 299;
