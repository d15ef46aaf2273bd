//! Where the demo project's webhooks go: to the catcher page, or to a backend that is being developed.

use super::{
    Demo,
    api::{Api, CallError},
};
use ordercast_server::{auth::sha256, delivery::sign::SigningSecret};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tells the demo's endpoint from those that its user made.
const DESCRIPTION: &str = "demo store";
/// In seconds. Whoever watches has not the patience that a night of a shop's outage needs; the last
/// comes after half an hour.
const SCHEDULE: [u32; 14] = [1, 1, 2, 2, 5, 5, 10, 15, 30, 60, 120, 300, 600, 600];

/// Of the API key, so that it needs no place of its own and stays the same.
pub fn webhook_secret(api_key: &str) -> String {
    let seed = sha256(format!("webhooks of {api_key}").as_bytes());
    SigningSecret::symmetric(&seed).as_str().to_owned()
}

/// `completes`: a 2xx to `order.paid` makes the order done.
pub async fn register(demo: &Arc<Demo>, root_key: &str, completes: bool) -> Result<(), CallError> {
    let (api, url) = (&Api::new(demo), &demo.webhooks_to);
    let settings = json!({ "complete_on_ack": completes });
    api.change_project(root_key, &settings).await?;
    match ours(api).await? {
        Some(ours) => {
            let change = json!({ "url": url, "enabled": true });
            api.change_endpoint(&ours["id"], &change).await
        }
        None => {
            let new = json!({
                "url": url,
                "description": DESCRIPTION,
                "secret": demo.webhook_secret,
                "schedule": SCHEDULE,
            });
            api.create_endpoint(&new).await
        }
    }
}

/// After it was disabled.
pub async fn enable(api: &Api) -> Result<(), CallError> {
    match ours(api).await? {
        Some(ours) => {
            let change = json!({ "enabled": true });
            api.change_endpoint(&ours["id"], &change).await
        }
        None => Ok(()),
    }
}

async fn ours(api: &Api) -> Result<Option<Value>, CallError> {
    let known = api.endpoints().await?;
    Ok(known
        .into_iter()
        .find(|endpoint| endpoint["description"] == DESCRIPTION))
}
