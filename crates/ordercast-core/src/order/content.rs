//! What an order is for: items, what they cost, and what was said about them at the checkout.

use super::Checkout;
use crate::{
    ids::Sku,
    money::Money,
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use serde::{Deserialize, Serialize};

/// What is bought; fixed at creation. Costs money, or a virtual currency, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `None`: costs no money.
    pub price: Option<Money>,
    /// What it would cost without discounts; `None`: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_without_discount: Option<Money>,
    /// Taken from the buyer's balance in the transaction that creates the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_price: Option<VirtualPrice>,
    pub items: Vec<Item>,
    #[serde(default, skip_serializing_if = "Checkout::is_empty")]
    pub checkout: Checkout,
}

impl Content {
    /// Of items that cost money, or nothing.
    #[must_use]
    pub fn new(price: Option<Money>, items: Vec<Item>) -> Self {
        Self {
            price,
            items,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn is_free(&self) -> bool {
        self.price.is_none_or(|price| price.minor == 0) && self.virtual_price.is_none()
    }

    /// Whether an item of it costs nothing. One that the shop gave no price of its own, for an order
    /// that has one, is part of what that price is for.
    #[must_use]
    pub fn is_item_free(&self, item: &Item) -> bool {
        let has_no_price = item.price.is_none() && item.item_id.is_none();
        item.is_free() && (!has_no_price || self.is_free())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub sku: Sku,
    /// 1..=1000.
    pub quantity: u32,
    /// Of one piece; `None`: costs no money.
    pub price: Option<Money>,
    /// Of one piece; `None`: there is no discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_without_discount: Option<Money>,
    /// Of one piece, in the currency of the order's virtual price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_price: Option<VirtualAmount>,
    #[serde(default, skip_serializing_if = "ItemKind::is_default", rename = "type")]
    pub kind: ItemKind,
    /// As the catalogue called it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The catalogue's number of it; `None`: the shop sold it without a catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<u32>,
}

impl Item {
    /// An item that the shop priced itself.
    #[must_use]
    pub const fn new(sku: Sku, quantity: u32, price: Option<Money>) -> Self {
        Self {
            sku,
            quantity,
            price,
            price_without_discount: None,
            virtual_price: None,
            kind: ItemKind::VirtualGood,
            name: None,
            item_id: None,
        }
    }

    #[must_use]
    pub fn is_free(&self) -> bool {
        self.price.is_none_or(|price| price.minor == 0) && self.virtual_price.is_none()
    }
}

/// Store contract, 3.6 `items.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    #[default]
    VirtualGood,
    VirtualCurrency,
    Bundle,
    GameKey,
    PhysicalGood,
    ValuePoint,
}

impl ItemKind {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
