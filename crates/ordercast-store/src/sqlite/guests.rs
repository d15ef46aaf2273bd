//! Orders of guests: buyers whom nobody vouches for. What such an order leaves behind is deleted some
//! time after its life, if nothing was ever paid for it.

use super::{apply::Batch, rows};
use ordercast_core::{
    Timestamp, UserId,
    access::{GUEST_PREFIX, guest_id},
    order::{Actor, Order, Status},
};
use rusqlite::Connection;

/// Remembers until when an order that a guest has made is to be paid.
pub(super) fn remember(
    connection: &Connection,
    order: &Order,
    order_key: i64,
) -> rusqlite::Result<()> {
    if !order.user.as_str().starts_with(GUEST_PREFIX) {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO guest_orders (expires_at, order_key) VALUES (?1, ?2)")?
        .execute((order.expires_at.millis(), order_key))?;
    Ok(())
}

/// Deletes an order that expired before that time and that no payment has ever named; one that anything
/// happened to is only forgotten here, and stays. Whether it was deleted.
///
/// Its publications stay: a hole in a channel's log would look like a loss. They go with their age.
pub(super) fn forget(
    batch: &mut Batch,
    order_key: i64,
    before: Timestamp,
) -> rusqlite::Result<bool> {
    let connection = batch.connection;
    let Some(row) = batch.order_by_key(order_key)? else {
        connection
            .prepare_cached("DELETE FROM guest_orders WHERE order_key = ?1")?
            .execute([order_key])?;
        return Ok(false);
    };
    let order = &row.order;
    if order.expires_at >= before || order.status() == Status::New {
        return Ok(false);
    }
    connection
        .prepare_cached("DELETE FROM guest_orders WHERE expires_at = ?1 AND order_key = ?2")?
        .execute((order.expires_at.millis(), order_key))?;
    let facets = &order.facets;
    let is_untouched =
        order.status() == Status::Expired && facets.attempts.is_empty() && facets.flags.is_empty();
    let is_on_its_way = connection
        .prepare_cached(
            "SELECT 1 FROM events e JOIN deliveries d ON d.event_id = e.event_id \
             WHERE e.event_id IN (SELECT event_id FROM order_versions WHERE order_key = ?1) \
             AND d.finished_at IS NULL",
        )?
        .exists([order_key])?;
    if !is_untouched || is_on_its_way {
        return Ok(false);
    }
    for sql in [
        "DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT d.delivery_id \
         FROM order_versions v JOIN deliveries d ON d.event_id = v.event_id WHERE v.order_key = ?1)",
        "DELETE FROM deliveries WHERE event_id IN \
         (SELECT event_id FROM order_versions WHERE order_key = ?1)",
        "DELETE FROM events WHERE event_id IN \
         (SELECT event_id FROM order_versions WHERE order_key = ?1)",
        "DELETE FROM order_versions WHERE order_key = ?1",
        "DELETE FROM order_tokens WHERE order_key = ?1",
        "DELETE FROM orders WHERE order_key = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([order_key])?;
    }
    batch.deleted(order);
    Ok(true)
}

/// Puts the hash in the place of every guest's id that is still the guest's own secret.
pub(super) fn hash_ids(connection: &Connection) -> rusqlite::Result<()> {
    let of = |table: &str| -> rusqlite::Result<Vec<(i64, String)>> {
        connection
            .prepare(&format!(
                "SELECT DISTINCT project_id, user_id FROM {table} \
                 WHERE user_id >= 'guest:' AND user_id < 'guest;'"
            ))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    for table in ["channels", "carts", "balances"] {
        for (project, user) in of(table)? {
            let secret = user.strip_prefix(GUEST_PREFIX).unwrap_or(&user);
            let hashed = guest_id(rows::project_id(project)?, secret);
            if table == "channels" {
                // Who made an order stands in its versions.
                connection.execute(
                    "UPDATE order_versions SET actor = ?1 WHERE actor = ?2 AND order_key IN ( \
                     SELECT o.order_key FROM channels c JOIN orders o USING (channel_key) \
                     WHERE c.project_id = ?3 AND c.user_id = ?4)",
                    (
                        Actor::Buyer(hashed.clone()).to_string(),
                        actor_of(&user)?,
                        project,
                        &user,
                    ),
                )?;
            }
            connection.execute(
                &format!("UPDATE {table} SET user_id = ?1 WHERE project_id = ?2 AND user_id = ?3"),
                (hashed.as_str(), project, &user),
            )?;
        }
    }
    Ok(())
}

fn actor_of(user: &str) -> rusqlite::Result<String> {
    let user = UserId::new(user).map_err(|_| rows::corrupt("channels.user_id"))?;
    Ok(Actor::Buyer(user).to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::MIGRATIONS, *};
    use ordercast_core::ProjectId;

    #[test]
    fn an_older_database_keeps_its_guests_and_loses_their_secrets() {
        let connection = Connection::open_in_memory().expect("open");
        let count = usize::try_from(super::super::GUESTS_HASHED).expect("a number");
        let (before, hashing) = (&MIGRATIONS[..count - 1], MIGRATIONS[count - 1]);
        for sql in before {
            connection.execute_batch(sql).expect("migrated");
        }
        connection
            .execute_batch(
                "INSERT INTO projects VALUES (7, 'Shop', '{}', 0), (8, 'Other', '{}', 0);
                 INSERT INTO channels VALUES (1, 7, 'guest:secret', 1), (2, 7, 'alice', 0);
                 INSERT INTO orders (order_key, project_id, order_id, channel_key, mode, status,
                     version, content, facets, created_at, updated_at, expires_at)
                     VALUES (1, 7, 1000001, 1, 'default', 'new', 1, '{}', '{}', 0, 0, 60);
                 INSERT INTO order_versions (order_key, version, status, actor, reason, at)
                     VALUES (1, 1, 'new', 'buyer:guest:secret', '', 0);
                 INSERT INTO carts (project_id, user_id, cart_id, lines, updated_at)
                     VALUES (7, 'guest:secret', 'cart', '[]', 0);",
            )
            .expect("written");
        let actor = Actor::Buyer(UserId::new("guest:secret").expect("id")).to_string();
        connection
            .execute("UPDATE order_versions SET actor = ?1", [actor])
            .expect("written");

        connection.execute_batch(hashing).expect("migrated");
        hash_ids(&connection).expect("hashed");

        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).expect(sql);
            let rows = statement.query_map([], |row| row.get(0)).expect(sql);
            rows.collect::<rusqlite::Result<_>>().expect(sql)
        };
        let guest = guest_id(ProjectId::new(7).expect("id"), "secret");
        let users = texts("SELECT user_id FROM channels ORDER BY channel_key");
        assert_eq!(users, [guest.as_str(), "alice"]);
        assert_eq!(texts("SELECT user_id FROM carts"), [guest.as_str()]);
        let actor = Actor::Buyer(guest).to_string();
        assert_eq!(texts("SELECT actor FROM order_versions"), [actor]);
        let settings = texts("SELECT settings FROM projects ORDER BY project_id");
        assert_eq!(
            settings,
            [r#"{"guests":true}"#, "{}"],
            "no others let guests in"
        );
        let waiting = texts("SELECT expires_at || ' ' || order_key FROM guest_orders");
        assert_eq!(waiting, ["60 1"]);
    }
}
