//! What is particular to one source.

use super::{Meaning, Provider};
use crate::order::PriceRule;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};
use thiserror::Error;

const WORDS_MAX: usize = 200;
const TEXT_BYTES_MAX: usize = 200;
const ADDRESSES_MAX: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// What words mean here, before the provider's own table is asked.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mapping: BTreeMap<String, Meaning>,
    /// PayPal: the id that it gave the webhook, which is part of what it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
    /// Standard Webhooks: where things stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<StandardFields>,
    /// Whence its requests come; empty: from anywhere. The signature decides either way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    /// When its payments count as the price.
    #[serde(skip_serializing_if = "PriceRule::is_exact")]
    pub price_rule: PriceRule,
    /// Where the provider's API is, for sandboxes and tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
}

/// JSON pointers (RFC 6901) into bodies of a sender of Standard Webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StandardFields {
    /// The word; without it `/type`.
    #[serde(default = "type_pointer", rename = "type")]
    pub kind: String,
    /// Our order id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The payment's id.
    pub attempt_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(default)]
    pub amount_unit: AmountUnit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The refund's id; without it a refund is named by its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// Of a payment that is taken in parts, the part's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute_id: Option<String>,
    /// What the sender's checkout asked for, in the units of `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// Test or live money: a text such as `test`, or a boolean, true for live money, or for test money
    /// where its name has `test` or `sandbox` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// When it happened, RFC 3339, or seconds or milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
}

fn type_pointer() -> String {
    "/type".to_owned()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AmountUnit {
    /// Cents.
    #[default]
    Minor,
    /// `1.99`.
    Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidSettings {
    #[error("mapping: at most {WORDS_MAX} words of 1 to {TEXT_BYTES_MAX} bytes")]
    Mapping,
    #[error("webhook_id: must be given for paypal, 1 to {TEXT_BYTES_MAX} visible characters")]
    WebhookId,
    #[error("addresses: at most {ADDRESSES_MAX} addresses or networks")]
    Addresses,
    #[error("fields: must be given for standard, and only for it, as JSON pointers")]
    Fields,
    #[error("price_rule: at_least takes a percent from 1 to 100")]
    PriceRule,
}

impl SourceSettings {
    /// # Errors
    /// [`InvalidSettings`]: which of them is missing or cannot be.
    pub fn check(&self, provider: Provider) -> Result<(), InvalidSettings> {
        let is_text = |text: &str| {
            (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if self.mapping.len() > WORDS_MAX || !self.mapping.keys().all(|word| is_text(word)) {
            return Err(InvalidSettings::Mapping);
        }
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(InvalidSettings::Addresses);
        }
        if !self.price_rule.is_valid() {
            return Err(InvalidSettings::PriceRule);
        }
        match (&self.webhook_id, provider) {
            (Some(id), Provider::Paypal) if is_text(id) && !id.contains('|') => {}
            (None, provider) if provider != Provider::Paypal => {}
            _ => return Err(InvalidSettings::WebhookId),
        }
        match (&self.fields, provider) {
            (None, provider) if provider != Provider::Standard => Ok(()),
            (Some(fields), Provider::Standard) if fields.are_pointers() => Ok(()),
            _ => Err(InvalidSettings::Fields),
        }
    }
}

impl SourceSettings {
    /// Whether a request from there is looked at.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|net| net.contains(&client))
    }
}

impl StandardFields {
    fn are_pointers(&self) -> bool {
        let all = [
            Some(&self.kind),
            self.order_id.as_ref(),
            Some(&self.attempt_id),
            self.amount.as_ref(),
            self.currency.as_ref(),
            self.refund_id.as_ref(),
            self.capture_id.as_ref(),
            self.dispute_id.as_ref(),
            self.total.as_ref(),
            self.mode.as_ref(),
            self.occurred_at.as_ref(),
        ];
        all.into_iter()
            .flatten()
            .all(|pointer| pointer.starts_with('/') && pointer.len() <= TEXT_BYTES_MAX)
    }
}
