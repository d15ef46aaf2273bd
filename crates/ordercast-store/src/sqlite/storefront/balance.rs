//! Balances in virtual currencies.
//!
//! Invariant: a balance changes in the transaction of its cause, and never below zero: the condition
//! stands in the statement that debits.

use super::{Written, catalogue};
use crate::{
    sqlite::rows::corrupt,
    storefront::{BALANCES_MAX, BalanceChange, BalanceEdit, StorefrontOutcome, StorefrontRefusal},
};
use ordercast_core::{
    ProjectId, Sku, Timestamp, UserId,
    order::{ItemKind, Order},
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn change(
    connection: &Connection,
    change: &BalanceChange,
    at: Timestamp,
) -> rusqlite::Result<Written> {
    let BalanceChange {
        project,
        user,
        currency,
        edit,
    } = change;
    let is_currency = catalogue::get(connection, *project, currency)?
        .is_some_and(|listed| listed.item.kind == ItemKind::VirtualCurrency);
    if !is_currency {
        return Ok(Err(StorefrontRefusal::NoVirtualCurrency));
    }
    let before = get(connection, *project, user, currency)?;
    if before.is_none() && is_full(connection, *project, user)? {
        return Ok(Err(StorefrontRefusal::TooManyBalances));
    }
    let amount = match edit {
        BalanceEdit::Set(amount) => *amount,
        BalanceEdit::Add(change) => match before.unwrap_or_default().changed_by(*change) {
            Ok(amount) => amount,
            Err(_) if *change < 0 => return Ok(Err(StorefrontRefusal::NotEnough)),
            Err(_) => return Ok(Err(StorefrontRefusal::TooMuch)),
        },
    };
    set(connection, *project, user, currency, amount, at)?;
    Ok(Ok(StorefrontOutcome::Balance(amount)))
}

/// Whether there was enough; if not, nothing is changed.
pub(in crate::sqlite) fn debit(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    price: &VirtualPrice,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let debited = connection
        .prepare_cached(
            "UPDATE balances SET amount = amount - ?4, updated_at = ?5 \
             WHERE project_id = ?1 AND user_id = ?2 AND currency = ?3 AND amount >= ?4",
        )?
        .execute(params![
            project.get(),
            user.as_str(),
            price.currency.as_str(),
            price.amount.get(),
            at.millis(),
        ])?;
    Ok(debited == 1)
}

/// Gives back what a canceled order had cost. At the bound of what a balance may be, the rest is lost:
/// the shop has filled it far beyond any price.
pub(in crate::sqlite) fn give_back(
    connection: &Connection,
    order: &Order,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let Some(price) = &order.content.virtual_price else {
        return Ok(());
    };
    let (project, user, currency) = (order.project, &order.user, &price.currency);
    let amount = get(connection, project, user, currency)?
        .unwrap_or_default()
        .changed_by(price.amount.get())
        .unwrap_or(VirtualAmount::MAX);
    set(connection, project, user, currency, amount, at)
}

fn set(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    currency: &Sku,
    amount: VirtualAmount,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO balances (project_id, user_id, currency, amount, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (project_id, user_id, currency) \
             DO UPDATE SET amount = excluded.amount, updated_at = excluded.updated_at",
        )?
        .execute(params![
            project.get(),
            user.as_str(),
            currency.as_str(),
            amount.get(),
            at.millis(),
        ])?;
    Ok(())
}

fn get(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    currency: &Sku,
) -> rusqlite::Result<Option<VirtualAmount>> {
    connection
        .prepare_cached(
            "SELECT amount FROM balances WHERE project_id = ?1 AND user_id = ?2 AND currency = ?3",
        )?
        .query_row((project.get(), user.as_str(), currency.as_str()), |row| {
            amount(row.get(0)?)
        })
        .optional()
}

fn is_full(connection: &Connection, project: ProjectId, user: &UserId) -> rusqlite::Result<bool> {
    let there: u32 = connection
        .prepare_cached("SELECT count(*) FROM balances WHERE project_id = ?1 AND user_id = ?2")?
        .query_row((project.get(), user.as_str()), |row| row.get(0))?;
    Ok(there >= BALANCES_MAX)
}

pub(crate) fn list(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
) -> rusqlite::Result<Vec<(Sku, VirtualAmount)>> {
    connection
        .prepare_cached(
            "SELECT currency, amount FROM balances WHERE project_id = ?1 AND user_id = ?2 \
             ORDER BY currency",
        )?
        .query_map((project.get(), user.as_str()), |row| {
            let currency: String = row.get(0)?;
            let currency = Sku::new(&currency).map_err(|_| corrupt("balances.currency"))?;
            Ok((currency, amount(row.get(1)?)?))
        })?
        .collect()
}

fn amount(units: i64) -> rusqlite::Result<VirtualAmount> {
    VirtualAmount::new(units).map_err(|_| corrupt("balances.amount"))
}
