//! The source that a provider's webhooks come to: read from the server, or made for the occasion.

use super::voice::Common;
use crate::project_api::ProjectApi;
use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use data_encoding::HEXUPPER;
use ordercast_core::{
    ids::SourceId,
    provider::{Meaning, Provider, StandardFields},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr};

/// As far as a provider needs it.
#[derive(Debug, Deserialize)]
pub struct Source {
    pub source: SourceId,
    pub provider: Provider,
    #[serde(default)]
    pub secret: String,
    #[serde(default)]
    mapping: BTreeMap<String, Meaning>,
    pub fields: Option<StandardFields>,
    pub api_url: Option<String>,
}

impl Source {
    pub async fn read(api: &ProjectApi, id: &SourceId) -> anyhow::Result<Self> {
        let request = api.request(Method::GET, &format!("sources/{id}"));
        let answer = api.send(request).await;
        let answer = answer.with_context(|| format!("cannot read source {id}; see --source"))?;
        Ok(answer.json().await?)
    }

    /// `answering`: where Mollie's API is spoken for.
    pub async fn make(
        api: &ProjectApi,
        provider: Provider,
        answering: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let mut new = json!({ "provider": provider });
        if let Some(secret) = secret(provider)? {
            new["secret"] = secret.into();
        }
        match provider {
            Provider::Mollie => {
                new["api_key"] = "test_trigger_has_no_account".into();
                new["api_url"] = answering.map(|at| format!("http://{at}")).into();
            }
            Provider::Paypal => new["webhook_id"] = "TRIGGER".into(),
            Provider::Standard => {
                new["fields"] = fields();
                new["mapping"] = mapping();
            }
            _ => {}
        }
        let request = api.request(Method::POST, "sources").json(&new);
        let answer = api.send(request).await.context("cannot make a source")?;
        Ok(answer.json().await?)
    }

    /// The word of this source for what all providers have a word for.
    pub fn word(&self, common: &str) -> Option<String> {
        let meaning = |meaning: &Meaning| {
            let word = match meaning {
                Meaning::Pending => Common::Pending,
                Meaning::Authorized => Common::Authorized,
                Meaning::Paid => Common::Paid,
                Meaning::Failed => Common::Failed,
                Meaning::Refunded => Common::Refunded,
                Meaning::RefundReversed => Common::RefundFailed,
                Meaning::DisputeOpened => Common::DisputeOpened,
                Meaning::DisputeWon => Common::DisputeWon,
                Meaning::DisputeLost => Common::DisputeLost,
                _ => return None,
            };
            Some(word.as_str())
        };
        let mut words = self.mapping.iter();
        let found = words.find(|(_, known)| meaning(known) == Some(common));
        found.map(|(word, _)| word.clone())
    }
}

/// In the form that the provider's own have. `None`: it does not sign with one.
fn secret(provider: Provider) -> anyhow::Result<Option<String>> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(match provider {
        Provider::Mollie | Provider::Paypal => None,
        Provider::Adyen => Some(HEXUPPER.encode(&random)),
        Provider::Standard => Some(format!("whsec_{}", BASE64.encode(random))),
        // Lemon Squeezy takes 40 characters at most.
        _ => Some(HEXUPPER.encode(&random[..20])),
    })
}

/// Of a sender that nobody is yet.
fn fields() -> Value {
    json!({
        "type": "/type",
        "order_id": "/data/metadata/order_id",
        "attempt_id": "/data/id",
        "amount": "/data/amount",
        "amount_unit": "decimal",
        "currency": "/data/currency",
        "refund_id": "/data/refund_id",
        "occurred_at": "/timestamp",
    })
}

fn mapping() -> Value {
    json!({
        "payment.pending": "pending",
        "payment.succeeded": "paid",
        "payment.failed": "failed",
        "refund.succeeded": "refunded",
        "refund.failed": "refund_reversed",
        "dispute.opened": "dispute_opened",
        "dispute.won": "dispute_won",
        "dispute.lost": "dispute_lost",
    })
}
