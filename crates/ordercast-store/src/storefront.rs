//! What a shop shows its buyers, beside orders: the catalogue, balances in virtual currencies, carts,
//! and payment sessions. What is kept of them, how they change, how they are read.

use crate::{
    Failure, Store,
    sqlite::storefront::{balance, cart, catalogue, session},
};
use ordercast_core::{
    ProjectId, Sku, Timestamp, UserId,
    catalogue::{CatalogueItem, Listed},
    ids::CartId,
    order::{Checkout, Mode},
    virtual_currency::VirtualAmount,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Items of one project: far above any shop, and a bound.
pub const ITEMS_MAX: u32 = 50_000;
/// Carts of one user.
pub const CARTS_MAX: u32 = 10;
/// Lines of one cart.
pub const CART_LINES_MAX: usize = ordercast_core::catalogue::LINES_MAX;
/// A cart that nobody touched for so long is gone: guests leave theirs behind.
pub const CART_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Virtual currencies of which one user has a balance.
pub const BALANCES_MAX: u32 = 1_000;

#[derive(Clone, Debug)]
pub enum StorefrontChange {
    /// All or none.
    PutItems {
        project: ProjectId,
        items: Vec<CatalogueItem>,
    },
    DeleteItem {
        project: ProjectId,
        sku: Sku,
    },
    Balance(BalanceChange),
    Cart(CartChange),
    CreateSession(Box<NewSession>),
}

#[derive(Clone, Debug)]
pub struct BalanceChange {
    pub project: ProjectId,
    pub user: UserId,
    /// An item of the catalogue that is a virtual currency.
    pub currency: Sku,
    pub edit: BalanceEdit,
}

#[derive(Clone, Copy, Debug)]
pub enum BalanceEdit {
    Set(VirtualAmount),
    /// More or less.
    Add(i64),
}

impl StorefrontChange {
    pub(crate) const fn project(&self) -> ProjectId {
        match self {
            Self::PutItems { project, .. } | Self::DeleteItem { project, .. } => *project,
            Self::Balance(change) => change.project,
            Self::Cart(change) => change.project,
            Self::CreateSession(new) => new.project,
        }
    }
}

#[derive(Clone, Debug)]
pub struct CartChange {
    pub project: ProjectId,
    pub user: UserId,
    pub cart: CartId,
    pub edit: CartEdit,
}

#[derive(Clone, Debug)]
pub enum CartEdit {
    /// Makes the cart if needed; lines with the same SKU are replaced.
    Put(Vec<CartLine>),
    Remove(Sku),
    Clear,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    pub sku: Sku,
    /// 1..=1000.
    pub quantity: u32,
}

/// A cart's line, with the item unless the catalogue has it no more.
#[derive(Clone, Debug)]
pub struct FilledLine {
    pub line: CartLine,
    pub listed: Option<Listed>,
}

/// What a payment session may say of its purchase, as JSON.
pub const PURCHASE_BYTES_MAX: usize = 16 * 1024;
/// Live payment sessions of one user: a new one ends the oldest.
pub const SESSIONS_MAX: u32 = 20;

/// A payment that is described by the buyer's client and belongs to no order.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub project: ProjectId,
    pub user: UserId,
    /// SHA-256 of the secret half of the token.
    pub token_hash: [u8; 32],
    pub mode: Mode,
    /// As the client described it; nothing in it was checked against the catalogue.
    pub purchase: Map<String, Value>,
    pub checkout: Checkout,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub project: ProjectId,
    pub user: UserId,
    pub token_hash: Vec<u8>,
    pub mode: Mode,
    pub purchase: Map<String, Value>,
    pub checkout: Checkout,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorefrontOutcome {
    Done,
    Balance(VirtualAmount),
    Session(i64),
    Refused(StorefrontRefusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorefrontRefusal {
    /// The balance would fall below zero.
    NotEnough,
    /// The balance would grow beyond what can be kept.
    TooMuch,
    /// Not an item of the catalogue that is a virtual currency.
    NoVirtualCurrency,
    CatalogueFull,
    TooManyCarts,
    CartFull,
    TooManyBalances,
}

impl Store {
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn item(&self, project: ProjectId, sku: Sku) -> Result<Option<Listed>, Failure> {
        self.read_short(project, move |connection| {
            catalogue::get(connection, project, &sku)
        })
        .await
    }

    /// In the order of `skus`; `None` for one that is not there.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn items(
        &self,
        project: ProjectId,
        skus: Vec<Sku>,
    ) -> Result<Vec<Option<Listed>>, Failure> {
        self.read_short(project, move |connection| {
            skus.iter()
                .map(|sku| catalogue::get(connection, project, sku))
                .collect()
        })
        .await
    }

    /// By SKU, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn catalogue(
        &self,
        project: ProjectId,
        after: Option<Sku>,
        limit: u32,
    ) -> Result<Vec<Listed>, Failure> {
        self.read_list(project, move |connection| {
            catalogue::list(connection, project, after.as_ref(), limit)
        })
        .await
    }

    /// By currency.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn balances(
        &self,
        project: ProjectId,
        user: UserId,
    ) -> Result<Vec<(Sku, VirtualAmount)>, Failure> {
        self.read_short(project, move |connection| {
            balance::list(connection, project, &user)
        })
        .await
    }

    /// `None`: there is no such cart.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn cart(
        &self,
        project: ProjectId,
        user: UserId,
        cart: CartId,
    ) -> Result<Option<Vec<FilledLine>>, Failure> {
        self.read_short(project, move |connection| {
            cart::filled(connection, project, &user, &cart)
        })
        .await
    }

    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn payment_session(&self, id: i64) -> Result<Option<Session>, Failure> {
        self.read_key(move |connection| session::get(connection, id))
            .await
    }
}
