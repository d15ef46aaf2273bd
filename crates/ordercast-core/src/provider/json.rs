//! Fields of a provider's body, by JSON pointer, as the types that we have.

use super::{Amount, EventError, lenient};
use crate::{
    Timestamp,
    ids::{AttemptId, CaptureId, DisputeId, OrderId, RefundId},
    money::{Currency, Money},
    order::Mode,
};
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Clone, Debug)]
pub struct Json(Value);

impl Json {
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(body)
            .or_else(|_| serde_json::from_str(&lenient::repaired(body)))
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

    /// A provider's own id, as it stands there; one that is too long for us by its beginning and its hash.
    fn id(&self, pointer: &str, bytes_max: usize) -> Option<String> {
        let text = self.text(pointer)?;
        let is_plain = !text.chars().any(char::is_control);
        let text = text.replace(char::is_control, "\u{fffd}");
        // What was changed must not become equal to another one.
        Some(if is_plain {
            bounded(&text, bytes_max)
        } else {
            hashed(&text, &self.text(pointer)?, bytes_max)
        })
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
            .find_map(|pointer| number(&self.text(pointer)?))
    }

    /// The order in a provider's free field: an object with its number, the same as JSON text, or the
    /// bare number; and what stands there when it is none of ours.
    pub fn reference(&self, pointer: &str) -> (Option<OrderId>, Option<String>) {
        let Some(field) = self.at(pointer) else {
            return (None, None);
        };
        let parsed = match field {
            Value::String(text) if text.trim_start().starts_with('{') => {
                Self::parse(text.as_bytes()).ok()
            }
            _ => None,
        };
        let field = parsed.unwrap_or_else(|| Self(field.clone()));
        let pointers = if field.0.is_object() {
            ORDER_MEMBERS
        } else {
            &[""]
        };
        (field.order(pointers), field.named(pointers))
    }

    pub fn attempt(&self, pointers: &[&str]) -> Option<AttemptId> {
        pointers
            .iter()
            .find_map(|pointer| AttemptId::new(&self.id(pointer, AttemptId::BYTES_MAX)?).ok())
    }

    pub fn capture(&self, pointers: &[&str]) -> Option<CaptureId> {
        pointers
            .iter()
            .find_map(|pointer| CaptureId::new(&self.id(pointer, CaptureId::BYTES_MAX)?).ok())
    }

    pub fn dispute(&self, pointers: &[&str]) -> Option<DisputeId> {
        pointers
            .iter()
            .find_map(|pointer| DisputeId::new(&self.id(pointer, DisputeId::BYTES_MAX)?).ok())
    }

    pub fn refund(&self, pointers: &[&str]) -> Option<RefundId> {
        pointers
            .iter()
            .find_map(|pointer| RefundId::new(&self.id(pointer, RefundId::BYTES_MAX)?).ok())
    }

    /// What stands where our order number belongs, when it is not one: the first text there.
    pub fn named(&self, pointers: &[&str]) -> Option<String> {
        let text = self.any(pointers)?;
        match Amount::unreadable(&text) {
            Amount::Unreadable(text) if self.order(pointers).is_none() => Some(text),
            _ => None,
        }
    }

    /// An amount in the smallest unit, in a currency in any case. Some senders write whole numbers as
    /// `400.0`.
    pub fn minor(&self, amount: &str, currency: &str) -> Amount {
        self.amount(amount, currency, |text, currency| {
            let whole = match text.split_once('.') {
                Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => {
                    whole
                }
                _ => text,
            };
            let is_plain = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
            let minor = whole.parse().ok().filter(|_| is_plain)?;
            Money::new(minor, currency).ok()
        })
    }

    /// An amount as decimal text.
    pub fn decimal(&self, amount: &str, currency: &str) -> Amount {
        self.amount(amount, currency, |text, currency| {
            Money::parse(text, currency).ok()
        })
    }

    /// A field that is missing is not told; whatever stands there and is no clean money is unreadable.
    fn amount(
        &self,
        amount: &str,
        currency: &str,
        read: impl FnOnce(&str, Currency) -> Option<Money>,
    ) -> Amount {
        let Some(told) = self.at(amount) else {
            return Amount::NotTold;
        };
        let money = match (self.text(amount), self.text(currency)) {
            (Some(text), Some(code)) => Currency::new(&code.to_ascii_uppercase())
                .ok()
                .and_then(|currency| read(&text, currency)),
            _ => None,
        };
        money.map_or_else(
            || {
                let code = self.at(currency).map(plain);
                let code = code.as_deref().unwrap_or("in no currency");
                Amount::unreadable(&format!("{} {code}", plain(told)))
            },
            Amount::Told,
        )
    }

    /// A whole number that may be negative; not an amount.
    pub fn signed(&self, pointer: &str) -> Option<i64> {
        self.at(pointer)?.as_i64()
    }

    /// Of a field that is true for live money, as such or as text.
    pub fn live(&self, pointer: &str) -> Option<Mode> {
        let is_live = match self.at(pointer)? {
            Value::Bool(is_live) => *is_live,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        Some(if is_live {
            Mode::Default
        } else {
            Mode::Sandbox
        })
    }

    /// Yes or no, also as 1 or 0 and as text.
    pub fn flag(&self, pointer: &str) -> Option<bool> {
        match self.at(pointer)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) if number.as_u64() == Some(1) => Some(true),
            Value::Number(number) if number.as_u64() == Some(0) => Some(false),
            Value::String(text) => match text.as_str() {
                "1" | "true" => Some(true),
                "0" | "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
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

/// Text of at most so many bytes. A longer one is told from others by its hash.
pub(super) fn bounded(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        text.to_owned()
    } else {
        hashed(text, text, bytes_max)
    }
}

/// The beginning of `shown`, and the hash of `whole`.
fn hashed(shown: &str, whole: &str, bytes_max: usize) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(whole));
    let room = bytes_max.saturating_sub(hash.len() + 1);
    let begins = &shown[..shown.floor_char_boundary(room.min(shown.len()))];
    format!("{begins}~{hash}")
}

/// What shops call our number in the free fields of providers.
const ORDER_MEMBERS: &[&str] = &["/order_id", "/orderId"];

/// Some senders write whole numbers as `7.0`.
fn number(text: &str) -> Option<OrderId> {
    let text = text.trim();
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// As it stands there, texts without their quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
