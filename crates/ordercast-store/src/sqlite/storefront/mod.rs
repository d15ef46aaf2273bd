//! The writer's half of [`crate::storefront`]: one file a table.

pub(crate) mod balance;
pub(crate) mod cart;
pub(crate) mod catalogue;
pub(crate) mod session;

use super::query::project_settings;
use crate::{
    Outcome,
    storefront::{StorefrontChange, StorefrontOutcome, StorefrontRefusal},
};
use ordercast_core::Timestamp;
use rusqlite::Connection;

/// What a change came to, or why it was not made.
type Written = Result<StorefrontOutcome, StorefrontRefusal>;

pub(super) fn apply(
    connection: &Connection,
    change: &StorefrontChange,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if project_settings(connection, change.project())?.is_none() {
        return Ok(Outcome::NotFound);
    }
    let written = match change {
        StorefrontChange::PutItems { project, items } => {
            catalogue::put_all(connection, *project, items)?
        }
        StorefrontChange::DeleteItem { project, sku } => {
            if !catalogue::delete(connection, *project, sku)? {
                return Ok(Outcome::NotFound);
            }
            Ok(StorefrontOutcome::Done)
        }
        StorefrontChange::Balance(change) => balance::change(connection, change, at)?,
        StorefrontChange::Cart(change) => match cart::change(connection, change, at)? {
            Some(written) => written,
            None => return Ok(Outcome::NotFound),
        },
        StorefrontChange::CreateSession(new) => Ok(StorefrontOutcome::Session(session::create(
            connection, new, at,
        )?)),
    };
    let outcome = written.unwrap_or_else(StorefrontOutcome::Refused);
    Ok(Outcome::Storefront(outcome))
}
