//! A shop's catalogue: items with their prices, and what a purchase of them costs.
//!
//! Invariant: a buyer names items and a currency, never a price. [`quote`] and [`quote_virtual`] are
//! the only ways from a catalogue to the content of an order.

use crate::{
    ids::Sku,
    money::{Currency, Money, MoneyError},
    order::{Content, Item, ItemKind},
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bounds of one item, which is read whole with every purchase.
pub const PRICES_MAX: usize = 50;
pub const VIRTUAL_PRICES_MAX: usize = 20;
pub const ATTRIBUTES_MAX: usize = 20;
/// Items of one purchase.
pub const LINES_MAX: usize = 100;
/// Pieces of one item in a purchase.
pub const QUANTITY_MAX: u32 = 1_000;

/// An entry of a project's catalogue. [`CatalogueItem::check`] holds for every stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueItem {
    pub sku: Sku,
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_url: String,
    #[serde(default, rename = "type")]
    pub kind: ItemKind,
    /// Costs nothing, whatever `prices` say about the currency it is shown in.
    #[serde(default)]
    pub is_free: bool,
    /// At most one a currency; the first is the default. Empty: not sold for money.
    #[serde(default)]
    pub prices: Vec<ItemPrice>,
    /// At most one a currency; the first is the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_prices: Vec<ItemVirtualPrice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

/// Of one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPrice {
    pub price: Money,
    /// In the same currency and higher; `None`: there is no discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_discount: Option<Money>,
}

/// Of one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemVirtualPrice {
    /// SKU of the virtual currency.
    pub currency: Sku,
    /// 1 or more.
    pub amount: VirtualAmount,
    /// Higher; `None`: there is no discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_discount: Option<VirtualAmount>,
}

/// A property of an item, for whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    pub external_id: String,
    pub name: String,
    pub values: Vec<AttributeValue>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AttributeValue {
    pub external_id: String,
    pub value: String,
}

/// Why an item cannot stand in a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidItem {
    #[error("at most {PRICES_MAX} prices, one a currency")]
    Prices,
    #[error("at most {VIRTUAL_PRICES_MAX} virtual prices, one a virtual currency, each 1 or more")]
    VirtualPrices,
    #[error("an amount without discount must be in the same currency and higher")]
    Discount,
    #[error("a free item has amount 0 in every price and no virtual price; another has none of 0")]
    Free,
    #[error("at most {ATTRIBUTES_MAX} attributes with at most {ATTRIBUTES_MAX} values each")]
    Attributes,
}

impl CatalogueItem {
    /// A virtual good with one price.
    #[must_use]
    pub fn priced(sku: Sku, name: String, price: Money) -> Self {
        Self {
            sku,
            name,
            description: String::new(),
            image_url: String::new(),
            kind: ItemKind::VirtualGood,
            is_free: price.minor == 0,
            prices: vec![ItemPrice {
                price,
                without_discount: None,
            }],
            virtual_prices: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// # Errors
    /// [`InvalidItem`], the first rule that it breaks.
    pub fn check(&self) -> Result<(), InvalidItem> {
        let (prices, virtual_prices) = (&self.prices, &self.virtual_prices);
        if prices.len() > PRICES_MAX || !are_distinct(prices, |p| p.price.currency.as_str()) {
            return Err(InvalidItem::Prices);
        }
        if virtual_prices.len() > VIRTUAL_PRICES_MAX
            || !are_distinct(virtual_prices, |p| p.currency.as_str())
            || virtual_prices
                .iter()
                .any(|p| p.amount == VirtualAmount::ZERO)
        {
            return Err(InvalidItem::VirtualPrices);
        }
        let is_discounted = |p: &ItemPrice| {
            p.without_discount.is_none_or(|before| {
                before.currency == p.price.currency && before.minor > p.price.minor
            })
        };
        let is_virtually_discounted =
            |p: &ItemVirtualPrice| p.without_discount.is_none_or(|before| before > p.amount);
        if !prices.iter().all(is_discounted) || !virtual_prices.iter().all(is_virtually_discounted)
        {
            return Err(InvalidItem::Discount);
        }
        let is_consistent = prices.iter().all(|p| (p.price.minor == 0) == self.is_free);
        if !is_consistent || (self.is_free && !virtual_prices.is_empty()) {
            return Err(InvalidItem::Free);
        }
        if self.attributes.len() > ATTRIBUTES_MAX
            || self
                .attributes
                .iter()
                .any(|attribute| attribute.values.len() > ATTRIBUTES_MAX)
        {
            return Err(InvalidItem::Attributes);
        }
        Ok(())
    }

    /// `None` as the currency: the default one.
    #[must_use]
    pub fn price_in(&self, currency: Option<Currency>) -> Option<&ItemPrice> {
        match currency {
            None => self.prices.first(),
            Some(_) => self
                .prices
                .iter()
                .find(|p| Some(p.price.currency) == currency),
        }
    }

    /// Whether it can be had for money, or for nothing.
    #[must_use]
    pub fn is_for_money(&self) -> bool {
        self.is_free || !self.prices.is_empty()
    }
}

fn are_distinct<T>(list: &[T], key: impl Fn(&T) -> &str) -> bool {
    list.iter()
        .enumerate()
        .all(|(at, one)| list[..at].iter().all(|other| key(other) != key(one)))
}

/// A stored item and the number that the store has given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub item_id: u32,
    pub item: CatalogueItem,
}

/// Some pieces of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub listed: Listed,
    /// 1..=[`QUANTITY_MAX`].
    pub quantity: u32,
}

/// Why items cannot be bought together so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoQuote {
    #[error("an item is not sold for money")]
    NotForMoney,
    #[error("an item has no price in this currency")]
    Currency,
    #[error("the items have no currency in common")]
    NoCommonCurrency,
    #[error("the item has no price in this virtual currency")]
    VirtualCurrency,
    #[error("the items cost more than an order may")]
    TooMuch,
}

impl From<MoneyError> for NoQuote {
    fn from(_: MoneyError) -> Self {
        Self::TooMuch
    }
}

/// What the lines cost together: in `currency`, or else in the first of the first item's currencies
/// that all have. No price: all are free.
///
/// # Errors
/// [`NoQuote`].
pub fn quote(lines: &[Line], currency: Option<Currency>) -> Result<Content, NoQuote> {
    let items = || lines.iter().map(|line| &line.listed.item);
    if items().any(|item| !item.is_for_money()) {
        return Err(NoQuote::NotForMoney);
    }
    let have = |currency| {
        items()
            .filter(|item| !item.is_free)
            .all(|item| item.price_in(Some(currency)).is_some())
    };
    let currency = match (currency, items().find(|item| !item.is_free)) {
        (_, None) => None,
        (Some(currency), Some(_)) if have(currency) => Some(currency),
        (Some(_), Some(_)) => return Err(NoQuote::Currency),
        (None, Some(first)) => Some(
            first
                .prices
                .iter()
                .map(|p| p.price.currency)
                .find(|currency| have(*currency))
                .ok_or(NoQuote::NoCommonCurrency)?,
        ),
    };
    let mut bought = Vec::with_capacity(lines.len());
    let (mut total, mut undiscounted) = (0_i64, 0_i64);
    for Line { listed, quantity } in lines {
        let mut item = Item {
            kind: listed.item.kind,
            name: Some(listed.item.name.clone()),
            item_id: Some(listed.item_id),
            ..Item::new(listed.item.sku.clone(), *quantity, None)
        };
        if let (false, Some(of_one)) = (listed.item.is_free, listed.item.price_in(currency)) {
            let before = of_one.without_discount.unwrap_or(of_one.price);
            total = add(total, of_one.price.times(*quantity)?.minor)?;
            undiscounted = add(undiscounted, before.times(*quantity)?.minor)?;
            item.price = Some(of_one.price);
            item.price_without_discount = of_one.without_discount;
        }
        bought.push(item);
    }
    let money = |minor| {
        currency
            .map(|currency| Money::new(minor, currency))
            .transpose()
    };
    let (price, before) = (money(total)?, money(undiscounted)?);
    Ok(Content {
        price,
        price_without_discount: before.filter(|before| Some(*before) != price),
        ..Content::new(None, bought)
    })
}

fn add(a: i64, b: i64) -> Result<i64, NoQuote> {
    a.checked_add(b).ok_or(NoQuote::TooMuch)
}

/// What a line costs in a virtual currency, itself an item of the catalogue.
///
/// # Errors
/// [`NoQuote::VirtualCurrency`], [`NoQuote::TooMuch`].
pub fn quote_virtual(line: &Line, currency: &CatalogueItem) -> Result<Content, NoQuote> {
    let Line { listed, quantity } = line;
    let item = &listed.item;
    let (at, of_one) = item
        .virtual_prices
        .iter()
        .enumerate()
        .find(|(_, p)| p.currency == currency.sku)
        .filter(|_| currency.kind == ItemKind::VirtualCurrency)
        .ok_or(NoQuote::VirtualCurrency)?;
    let times = |amount: VirtualAmount| amount.times(*quantity).map_err(|_| NoQuote::TooMuch);
    let bought = Item {
        kind: item.kind,
        name: Some(item.name.clone()),
        item_id: Some(listed.item_id),
        virtual_price: Some(of_one.amount),
        ..Item::new(item.sku.clone(), *quantity, None)
    };
    Ok(Content {
        virtual_price: Some(VirtualPrice {
            amount: times(of_one.amount)?,
            amount_without_discount: of_one.without_discount.map(times).transpose()?,
            currency: currency.sku.clone(),
            name: currency.name.clone(),
            is_default: at == 0,
        }),
        ..Content::new(None, vec![bought])
    })
}
