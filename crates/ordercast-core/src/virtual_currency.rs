//! Virtual currencies: items of a shop's catalogue that other items cost. Their amounts are whole
//! numbers, and never [`Money`](crate::money::Money).

use crate::ids::Sku;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thiserror::Error;

/// Far above any balance, and exact in the JSON numbers of every client.
pub const VIRTUAL_AMOUNT_MAX: i64 = 1_000_000_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be an integer from 0 to 10^15")]
pub struct OutOfRange;

/// 0..=10^15 units of a virtual currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct VirtualAmount(i64);

impl VirtualAmount {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(VIRTUAL_AMOUNT_MAX);

    /// # Errors
    /// [`OutOfRange`].
    pub const fn new(units: i64) -> Result<Self, OutOfRange> {
        if 0 <= units && units <= VIRTUAL_AMOUNT_MAX {
            Ok(Self(units))
        } else {
            Err(OutOfRange)
        }
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// # Errors
    /// [`OutOfRange`] over the bound.
    pub fn times(self, times: u32) -> Result<Self, OutOfRange> {
        self.0
            .checked_mul(i64::from(times))
            .map_or(Err(OutOfRange), Self::new)
    }

    /// More or less by `change`.
    ///
    /// # Errors
    /// [`OutOfRange`] below zero and over the bound.
    pub fn changed_by(self, change: i64) -> Result<Self, OutOfRange> {
        self.0
            .checked_add(change)
            .map_or(Err(OutOfRange), Self::new)
    }
}

impl fmt::Display for VirtualAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for VirtualAmount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// What an order costs in a virtual currency, with the currency as the catalogue described it then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VirtualPrice {
    pub amount: VirtualAmount,
    /// `None`: there is no discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_without_discount: Option<VirtualAmount>,
    /// The currency's SKU.
    pub currency: Sku,
    /// The currency's name.
    pub name: String,
    /// Whether the item names this currency first.
    pub is_default: bool,
}
