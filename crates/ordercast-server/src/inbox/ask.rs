//! Questions to providers: what has become of a payment, or of the payments of an order. For unsigned
//! webhooks, and for orders of which nothing has been heard.

use crate::{auth, delivery::sending::Sending, outbound::guard::TargetUrl};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use ordercast_core::{
    OrderId, ProjectId,
    ids::AttemptId,
    provider::{Event, Provider, Request, mollie_payment as read_mollie, read},
};
use ordercast_store::Source;
use serde_json::{Value, json};
use std::sync::Arc;
use thiserror::Error;

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Payments of one order that are looked at.
const PAYMENTS_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    #[error("the provider knows nothing of it")]
    NotFound,
    #[error("the provider could not be asked now")]
    Unavailable,
}

/// Of which order the payments are wanted.
#[derive(Clone, Debug)]
pub struct Question {
    pub project: ProjectId,
    pub order: OrderId,
    /// Payments of it that have been heard of.
    pub attempts: Vec<AttemptId>,
}

/// What the provider says: a document for the inbox, and the events in it.
#[derive(Clone, Debug)]
pub struct Reading {
    pub body: Vec<u8>,
    pub events: Vec<Event>,
}

/// Reads payments from a provider's API.
pub trait ProviderReader: Send + Sync {
    /// # Errors
    /// [`AskError::Unavailable`]; that there are none is an empty list.
    fn payments(&self, question: Question) -> BoxFuture<'_, Result<Vec<Reading>, AskError>>;
}

/// The reader of a source, if its provider can be asked and the source has an API key.
#[must_use]
pub fn reader(sending: &Arc<Sending>, source: &Source) -> Option<Box<dyn ProviderReader>> {
    source.api_key.as_ref()?;
    let reader = ApiReader {
        sending: Arc::clone(sending),
        source: source.clone(),
    };
    match source.provider {
        Provider::Stripe | Provider::Mollie | Provider::MollieNext | Provider::Reference => {
            Some(Box::new(reader))
        }
        Provider::Paypal
        | Provider::Adyen
        | Provider::Paddle
        | Provider::LemonSqueezy
        | Provider::Razorpay
        | Provider::CoinbaseCommerce
        | Provider::CoinbaseBusiness
        | Provider::Tebex
        | Provider::Standard => None,
    }
}

struct ApiReader {
    sending: Arc<Sending>,
    source: Source,
}

impl ProviderReader for ApiReader {
    fn payments(&self, question: Question) -> BoxFuture<'_, Result<Vec<Reading>, AskError>> {
        Box::pin(async move {
            match self.source.provider {
                Provider::Stripe => self.stripe(&question).await,
                Provider::Reference => self.reference(&question).await,
                _ => self.mollie(&question).await,
            }
        })
    }
}

impl ApiReader {
    /// Stripe API, *Retrieve a PaymentIntent* for those that have been heard of, else *Search
    /// PaymentIntents* by the metadata that names the order. A found one is read as the webhook of its
    /// status would be.
    async fn stripe(&self, question: &Question) -> Result<Vec<Reading>, AskError> {
        let mut intents = Vec::new();
        let heard_of = question.attempts.iter().map(AttemptId::as_str);
        for id in heard_of.filter(|id| is_plain(id, "pi_")).take(PAYMENTS_MAX) {
            let path = format!("/v1/payment_intents/{id}");
            intents.push(self.json("https://api.stripe.com", &path).await?);
        }
        let query = format!("metadata['order_id']:'{}'", question.order);
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let path = format!("/v1/payment_intents/search?limit=20&query={query}");
        let found = self.json("https://api.stripe.com", &path).await?;
        let found = found.get("data").and_then(Value::as_array);
        intents.extend(found.into_iter().flatten().take(PAYMENTS_MAX).cloned());
        Ok(intents
            .iter()
            .filter_map(|intent| self.read(of_intent(intent)?))
            .collect())
    }

    /// Merchant API, *Search transactions* (store contract, 2.2): those whose external id is the order,
    /// tests among them. Its merchant stands before the colon of the credential.
    async fn reference(&self, question: &Question) -> Result<Vec<Reading>, AskError> {
        let credential = self.source.api_key.as_ref().map_or("", |key| key.as_str());
        let merchant = credential
            .split_once(':')
            .map_or("", |(merchant, _)| merchant);
        if !is_plain(merchant, "") {
            tracing::warn!(source = %self.source.id, "api_key must be MERCHANT:KEY");
            return Err(AskError::Unavailable);
        }
        let path = format!(
            "/merchant/v2/merchants/{merchant}/reports/transactions/search.json?external_id={}&type=all",
            question.order
        );
        let found = self.json("https://api.xsolla.com", &path).await?;
        let found = found.as_array();
        Ok(found
            .into_iter()
            .flatten()
            .take(PAYMENTS_MAX)
            .filter_map(|item| self.read(of_transaction(item, question)?))
            .collect())
    }

    /// Payments API, *Get payment*: Mollie finds payments by their own ids only, so those are asked for
    /// that have been heard of; without one, *List payments* of which one may name the order.
    async fn mollie(&self, question: &Question) -> Result<Vec<Reading>, AskError> {
        let mut readings = Vec::new();
        for attempt in question.attempts.iter().take(PAYMENTS_MAX) {
            match mollie_payment(&self.sending, &self.source, attempt).await {
                Ok(body) => readings.extend(self.read_mollie(body)),
                Err(AskError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        if !readings.is_empty() {
            return Ok(readings);
        }
        let found = self.json(MOLLIE, "/v2/payments?limit=250").await?;
        let payments = found
            .pointer("/_embedded/payments")
            .and_then(Value::as_array);
        for payment in payments.into_iter().flatten() {
            let named = payment.pointer("/metadata/order_id").map(|id| match id {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            if named.as_deref() == Some(question.order.to_string().as_str()) {
                readings.extend(self.read_mollie(payment.to_string().into_bytes()));
            }
        }
        Ok(readings)
    }

    fn read_mollie(&self, body: Vec<u8>) -> Option<Reading> {
        let events = read_mollie(&body, &self.source.settings).ok()?;
        Some(Reading { body, events })
    }

    fn read(&self, body: Vec<u8>) -> Option<Reading> {
        let request = Request {
            headers: &[],
            body: &body,
        };
        let source = &self.source;
        let hash = data_encoding::HEXLOWER.encode(&auth::sha256(&body));
        let events = read(
            source.provider,
            request,
            source.project,
            &source.settings,
            &hash,
        )
        .ok()?;
        Some(Reading { body, events })
    }

    async fn json(&self, base: &str, path: &str) -> Result<Value, AskError> {
        match get(&self.sending, &self.source, base, path).await {
            Ok(body) => serde_json::from_slice(&body).map_err(|_| AskError::Unavailable),
            Err(AskError::NotFound) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }
}

/// The webhook that would tell where a payment intent is.
fn of_intent(intent: &Value) -> Option<Vec<u8>> {
    let status = intent.get("status")?.as_str()?;
    let kind = match status {
        "succeeded" => "payment_intent.succeeded",
        "processing" => "payment_intent.processing",
        "requires_action" => "payment_intent.requires_action",
        "requires_capture" => "payment_intent.amount_capturable_updated",
        "canceled" => "payment_intent.canceled",
        _ => return None,
    };
    let id = intent.get("id")?.as_str()?;
    let event = json!({
        "id": format!("asked:{id}:{status}"),
        "type": kind,
        "data": { "object": intent },
    });
    Some(event.to_string().into_bytes())
}

/// The webhook that would tell what became of a transaction.
fn of_transaction(item: &Value, question: &Question) -> Option<Vec<u8>> {
    let at = |pointer: &str| item.pointer(pointer).cloned().unwrap_or_default();
    let kind = match at("/transaction/status").as_str()? {
        "done" => "payment",
        "refunded" => "refund",
        _ => return None,
    };
    let webhook = json!({
        "notification_type": kind,
        "settings": { "project_id": question.project },
        "purchase": {
            "total": {
                "amount": at("/purchase/total/amount"),
                "currency": at("/purchase/total/currency"),
            },
            "order": { "id": question.order },
        },
        "transaction": { "id": at("/transaction/id") },
    });
    Some(webhook.to_string().into_bytes())
}

/// It becomes part of a path.
pub fn is_plain(id: &str, prefix: &str) -> bool {
    id.starts_with(prefix)
        && (prefix.len() + 1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const MOLLIE: &str = "https://api.mollie.com";

/// # Errors
/// [`AskError`].
pub async fn mollie_payment(
    sending: &Sending,
    source: &Source,
    id: &AttemptId,
) -> Result<Vec<u8>, AskError> {
    let id: String = url::form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    let path = format!("/v2/payments/{id}?embed=refunds,chargebacks");
    get(sending, source, MOLLIE, &path).await
}

async fn get(
    sending: &Sending,
    source: &Source,
    base: &str,
    path: &str,
) -> Result<Vec<u8>, AskError> {
    let base = source.settings.api_url.as_deref().unwrap_or(base);
    let address = format!("{}{path}", base.trim_end_matches('/'));
    let unavailable = |why: &dyn std::fmt::Display| {
        tracing::warn!(source = %source.id, %why, "the provider could not be asked");
        AskError::Unavailable
    };
    let url = TargetUrl::parse(&address, &sending.policy).map_err(|error| unavailable(&error))?;
    let key = source.api_key.as_ref().map_or("", |key| key.as_str());
    // The reference takes the merchant's id and key, the others a bearer.
    let credential = if source.provider == Provider::Reference {
        format!("Basic {}", BASE64.encode(key))
    } else {
        format!("Bearer {key}")
    };
    let mut credential = HeaderValue::from_str(&credential).map_err(|error| unavailable(&error))?;
    credential.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, credential);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let answer = sending
        .dialer
        .get(&url, headers, ANSWER_BYTES_MAX)
        .await
        .map_err(|error| unavailable(&error))?;
    match answer.status {
        200 => Ok(answer.body),
        404 | 410 => Err(AskError::NotFound),
        status => Err(unavailable(&format_args!("HTTP {status}"))),
    }
}
