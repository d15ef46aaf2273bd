//! Fields of a provider's body, by JSON pointer, as the types that we have.

use super::EventError;
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, RefundId},
    money::{Currency, Money},
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Clone, Debug)]
pub struct Json(Value);

impl Json {
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|_| EventError::NotJson)
    }

    pub const fn of(value: Value) -> Self {
        Self(value)
    }

    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    pub fn part(&self, pointer: &str) -> Option<Self> {
        self.at(pointer).cloned().map(Self)
    }

    pub fn list(&self, pointer: &str) -> Option<Vec<Self>> {
        let items = self.at(pointer)?.as_array()?;
        Some(items.iter().cloned().map(Self).collect())
    }

    /// Text or a number, as text; not empty.
    pub fn text(&self, pointer: &str) -> Option<String> {
        match self.at(pointer)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The first of them that is there.
    pub fn any(&self, pointers: &[&str]) -> Option<String> {
        pointers.iter().find_map(|pointer| self.text(pointer))
    }

    pub fn required(&self, pointer: &str, field: &'static str) -> Result<String, EventError> {
        self.text(pointer).ok_or(EventError::Field(field))
    }

    /// Shops write our number as a number or as text; what else stands there is not ours.
    pub fn order(&self, pointers: &[&str]) -> Option<OrderId> {
        pointers
            .iter()
            .find_map(|pointer| self.text(pointer)?.parse().ok())
    }

    pub fn attempt(&self, pointers: &[&str]) -> Option<AttemptId> {
        pointers
            .iter()
            .find_map(|pointer| AttemptId::new(&self.text(pointer)?).ok())
    }

    pub fn refund(&self, pointers: &[&str]) -> Option<RefundId> {
        pointers
            .iter()
            .find_map(|pointer| RefundId::new(&self.text(pointer)?).ok())
    }

    /// An amount in the smallest unit, in a currency of three letters in any case.
    pub fn minor(&self, amount: &str, currency: &str) -> Option<Money> {
        let minor = self.text(amount)?.parse().ok()?;
        Money::new(minor, self.currency(currency)?).ok()
    }

    /// An amount as decimal text.
    pub fn decimal(&self, amount: &str, currency: &str) -> Option<Money> {
        Money::parse(&self.text(amount)?, self.currency(currency)?).ok()
    }

    fn currency(&self, pointer: &str) -> Option<Currency> {
        Currency::new(&self.text(pointer)?.to_ascii_uppercase()).ok()
    }

    /// Seconds since 1970.
    pub fn seconds(&self, pointer: &str) -> Option<Timestamp> {
        let seconds = self.text(pointer)?.parse().ok()?;
        Some(Timestamp::from_seconds(seconds))
    }

    pub fn rfc3339(&self, pointer: &str) -> Option<Timestamp> {
        let at = OffsetDateTime::parse(&self.text(pointer)?, &Rfc3339).ok()?;
        let millis = at.unix_timestamp_nanos() / 1_000_000;
        Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
    }
}
