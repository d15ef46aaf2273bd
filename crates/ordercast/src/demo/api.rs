//! The server as its customers see it: the calls that a shop and a payment provider make.

use super::{Demo, problem::Problem};
use ordercast_core::OrderId;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt, sync::Arc, time::Duration};

/// Far above any answer of a healthy server on the same machine.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The event feed holds an answer up to 30 s.
pub const FEED_WAIT: Duration = Duration::from_secs(25);

/// A call that brought no usable answer.
#[derive(Debug)]
pub enum CallError {
    /// Not reached, not in time, or not understood.
    Broken(reqwest::Error),
    Status(StatusCode),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => error.fmt(f),
            Self::Status(status) => write!(f, "answered {status}"),
        }
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        tracing::warn!(%error, "the demo's call to the server failed");
        Self::unavailable()
    }
}

/// *Get order*, as far as the demo reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct BuyersOrder {
    pub order_id: OrderId,
    pub status: String,
    pub content: Content,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Content {
    pub price: Option<Price>,
    #[serde(default)]
    pub items: Vec<Item>,
}

/// Whom an order is for, and whether it is a test.
#[derive(Clone, Debug, Deserialize)]
pub struct OrderCheckout {
    pub user_external_id: String,
    pub mode: ordercast_core::order::Mode,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    pub amount: String,
    pub currency: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Item {
    pub sku: String,
    pub quantity: u32,
    pub price: Option<Price>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EventPage {
    pub events: Vec<Event>,
    pub last_id: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339.
    pub created_at: String,
    pub data: EventData,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EventData {
    pub order_id: Option<OrderId>,
}

#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    demo: Arc<Demo>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("demo", &self.demo)
            .finish_non_exhaustive()
    }
}

impl Api {
    pub fn new(demo: &Arc<Demo>) -> Self {
        // To ourselves: a proxy of the environment has no part in it.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap_or_default();
        Self {
            http,
            demo: Arc::clone(demo),
        }
    }

    /// An order as its buyer sees it; `token` is a user JWT or a payment token.
    ///
    /// # Errors
    /// 404 whenever the server does not show this order to this token.
    pub async fn order_of_buyer(
        &self,
        order: OrderId,
        token: &str,
    ) -> Result<BuyersOrder, Problem> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::not_found());
        }
        let url = format!(
            "{}/api/v2/project/{}/order/{order}",
            self.demo.base_url, self.demo.project_id
        );
        let asked = self
            .http
            .get(url)
            .timeout(TIMEOUT)
            .bearer_auth(token)
            .send()
            .await;
        match asked.map_err(CallError::from)? {
            response if response.status().is_client_error() => Err(Problem::not_found()),
            response => Ok(read(response).await?),
        }
    }

    /// A payment provider learns that when the shop asks it for a token.
    pub async fn checkout_of(&self, order: OrderId) -> Result<OrderCheckout, CallError> {
        let request = self.shop(Method::GET, &format!("orders/{order}"));
        read(request.timeout(TIMEOUT).send().await?).await
    }

    pub async fn versions(&self, order: OrderId) -> Result<Vec<Value>, CallError> {
        #[derive(Deserialize)]
        struct Versions {
            versions: Vec<Value>,
        }
        let request = self.shop(Method::GET, &format!("orders/{order}/versions"));
        let answer: Versions = read(request.timeout(TIMEOUT).send().await?).await?;
        Ok(answer.versions)
    }

    /// The newest provider events of the whole project, newest first.
    pub async fn inbox(&self, limit: u32) -> Result<Vec<Value>, CallError> {
        #[derive(Deserialize)]
        struct Inbox {
            entries: Vec<Value>,
        }
        let request = self.shop(Method::GET, "inbox").query(&[("limit", limit)]);
        let answer: Inbox = read(request.timeout(TIMEOUT).send().await?).await?;
        Ok(answer.entries)
    }

    /// What happened after the event `after`; an empty page comes after up to `wait`.
    pub async fn events(
        &self,
        after: u64,
        limit: u32,
        wait: Duration,
    ) -> Result<EventPage, CallError> {
        let query = [
            ("after", after),
            ("limit", u64::from(limit)),
            ("wait", wait.as_secs()),
        ];
        let request = self
            .shop(Method::GET, "events")
            .query(&query)
            .timeout(TIMEOUT + wait);
        read(request.send().await?).await
    }

    /// The shop has handed the item over. The key makes a repetition harmless.
    pub async fn mark_done(&self, order: OrderId) -> Result<(), CallError> {
        let request = self
            .shop(Method::POST, &format!("orders/{order}/transitions"))
            .header("Idempotency-Key", format!("grant-{order}"))
            .json(&json!({ "to": "done", "reason": "item is in the buyer's inventory" }));
        succeed(request).await
    }

    /// Settings are the operator's to change.
    pub async fn change_project(&self, root_key: &str, change: &Value) -> Result<(), CallError> {
        let project = self.demo.project_id;
        let url = format!("{}/v1/projects/{project}", self.demo.base_url);
        succeed(self.http.patch(url).bearer_auth(root_key).json(change)).await
    }

    pub async fn endpoints(&self) -> Result<Vec<Value>, CallError> {
        #[derive(Deserialize)]
        struct Endpoints {
            endpoints: Vec<Value>,
        }
        let request = self.shop(Method::GET, "endpoints").timeout(TIMEOUT);
        let answer: Endpoints = read(request.send().await?).await?;
        Ok(answer.endpoints)
    }

    pub async fn create_endpoint(&self, new: &Value) -> Result<(), CallError> {
        succeed(self.shop(Method::POST, "endpoints").json(new)).await
    }

    pub async fn change_endpoint(&self, id: &Value, change: &Value) -> Result<(), CallError> {
        let path = format!("endpoints/{id}");
        succeed(self.shop(Method::PATCH, &path).json(change)).await
    }

    /// Posts a provider's webhook and gives back how it was answered.
    pub async fn post_webhook(
        &self,
        body: Vec<u8>,
        signature: &str,
    ) -> Result<(u16, Value), CallError> {
        let url = format!("{}/v1/inbox/{}", self.demo.base_url, self.demo.source);
        let response = self
            .http
            .post(url)
            .timeout(TIMEOUT)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Signature {signature}"))
            .body(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or(Value::Null)))
    }

    /// A call of the shop's backend, below its project.
    fn shop(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!(
            "{}/v1/projects/{}/{path}",
            self.demo.base_url, self.demo.project_id
        );
        self.http
            .request(method, url)
            .bearer_auth(&self.demo.api_key)
    }
}

async fn succeed(request: RequestBuilder) -> Result<(), CallError> {
    match request.timeout(TIMEOUT).send().await?.status() {
        status if status.is_success() => Ok(()),
        status => Err(CallError::Status(status)),
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    if !response.status().is_success() {
        return Err(CallError::Status(response.status()));
    }
    Ok(response.json().await?)
}
