//! Asks providers: about the object of an event that holds none, and about the payments of an order of
//! which nothing was heard. What is asked and what an answer means are values of
//! [`ordercast_core::provider`]; this file only carries them, to the provider's host or the one that the
//! source names, and nowhere else.

use crate::{clock, delivery::sending::Sending, outbound::guard::TargetUrl};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    ids::{AttemptId, SourceId},
    provider::{About, Api, Authorization, Question as Asked, Reading},
};
use ordercast_store::Source;
use parking_lot::Mutex;
use serde::Deserialize;
use std::{collections::HashMap, fmt, sync::Arc, time::Duration};
use thiserror::Error;
use zeroize::Zeroizing;

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Requests that one order, or one event, may cost.
const REQUESTS_MAX: usize = 40;
/// Access tokens that are kept; one a source.
const TOKENS_MAX: usize = 1_000;
/// A token is not used in its last moments.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    #[error("the provider knows nothing of it")]
    NotFound,
    /// It may go better later, or once the key is right; the reason is for the operator.
    #[error("the provider could not be asked: {0}")]
    Unavailable(String),
    #[error("the provider's answer was not understood: {0}")]
    Unreadable(String),
}

/// Of which order the payments are wanted.
#[derive(Clone, Debug)]
pub struct Question {
    pub project: ProjectId,
    pub order: OrderId,
    /// Payments of it that the source has told of.
    pub attempts: Vec<AttemptId>,
    pub made_at: Timestamp,
}

/// Reads payments from a provider's API.
pub trait ProviderReader: Send + Sync {
    /// # Errors
    /// [`AskError`]; that there are none is an empty list.
    fn payments(&self, question: Question) -> BoxFuture<'_, Result<Vec<Reading>, AskError>>;
}

/// The reader of a source, if its provider can be asked and the source has an API key.
#[must_use]
pub fn reader(asker: &Arc<Asker>, source: &Source) -> Option<Box<dyn ProviderReader>> {
    source.api_key.as_ref()?;
    source.provider.api()?;
    Some(Box::new(ApiReader {
        asker: Arc::clone(asker),
        source: source.clone(),
    }))
}

struct ApiReader {
    asker: Arc<Asker>,
    source: Source,
}

impl ProviderReader for ApiReader {
    fn payments(&self, question: Question) -> BoxFuture<'_, Result<Vec<Reading>, AskError>> {
        Box::pin(async move {
            let key = self.source.api_key.as_ref().map_or("", |key| key.as_str());
            let questions = self.source.provider.questions(&About {
                project: question.project,
                order: question.order,
                attempts: &question.attempts,
                made_at: question.made_at,
                account: key.split_once(':').map_or("", |(account, _)| account),
            });
            self.asker.ask_all(&self.source, questions).await
        })
    }
}

/// Who asks; keeps the access tokens of providers that give some.
pub struct Asker {
    sending: Arc<Sending>,
    tokens: Mutex<HashMap<SourceId, Token>>,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asker(..)")
    }
}

struct Token {
    text: Zeroizing<String>,
    /// The key that it was given for: another one needs another token.
    key: Zeroizing<String>,
    ends_at: Timestamp,
}

impl Asker {
    #[must_use]
    pub fn new(sending: Arc<Sending>) -> Self {
        Self {
            sending,
            tokens: Mutex::default(),
        }
    }

    #[must_use]
    pub fn sending(&self) -> &Sending {
        &self.sending
    }

    /// Asks, and asks on what the answers raise. What the provider knows nothing of tells nothing.
    ///
    /// # Errors
    /// [`AskError`] of the first question that had no answer: what was read before it is not given, so
    /// that an order is never judged by half of what there is.
    pub async fn ask_all(
        &self,
        source: &Source,
        questions: Vec<Asked>,
    ) -> Result<Vec<Reading>, AskError> {
        let mut waiting = questions;
        waiting.reverse();
        let mut readings = Vec::new();
        for _ in 0..REQUESTS_MAX {
            let Some(question) = waiting.pop() else {
                return Ok(readings);
            };
            match self.ask(source, &question).await {
                Ok((more, next)) => {
                    readings.extend(more);
                    waiting.extend(next.into_iter().rev());
                }
                Err(AskError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        if !waiting.is_empty() {
            tracing::warn!(source = %source.id, requests = REQUESTS_MAX, "not all of it was asked");
        }
        Ok(readings)
    }

    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        source: &Source,
        question: &Asked,
    ) -> Result<(Vec<Reading>, Vec<Asked>), AskError> {
        let body = self.get(source, question.path()).await?;
        let answered = question
            .answered(source.provider, &source.settings, &body)
            .map_err(|error| AskError::Unreadable(error.to_string()))?;
        Ok((answered.readings, answered.next))
    }

    async fn get(&self, source: &Source, path: &str) -> Result<Vec<u8>, AskError> {
        let api = source
            .provider
            .api()
            .ok_or_else(|| AskError::Unavailable("it has no API".to_owned()))?;
        let url = self.url(source, api, path)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in api.headers {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let (name, credential) = self.credential(source, api).await?;
        headers.insert(name, credential);
        let dialer = &self.sending.dialer;
        let answer = dialer
            .get(&url, headers, ANSWER_BYTES_MAX)
            .await
            .map_err(unavailable)?;
        match answer.status {
            200 if answer.is_whole => Ok(answer.body),
            200 => Err(AskError::Unreadable("it is cut or too long".to_owned())),
            404 | 410 => Err(AskError::NotFound),
            status => {
                // The token may have been called back.
                self.tokens.lock().remove(&source.id);
                Err(refused(status))
            }
        }
    }

    fn url(&self, source: &Source, api: Api, path: &str) -> Result<TargetUrl, AskError> {
        let base = source.settings.api_url.as_deref().unwrap_or(api.host);
        let address = format!("{}{path}", base.trim_end_matches('/'));
        TargetUrl::parse(&address, &self.sending.policy).map_err(unavailable)
    }

    async fn credential(
        &self,
        source: &Source,
        api: Api,
    ) -> Result<(HeaderName, HeaderValue), AskError> {
        let key = source
            .api_key
            .as_ref()
            .ok_or_else(|| AskError::Unavailable("the source has no api_key".to_owned()))?;
        let (name, text) = match api.authorization {
            Authorization::Bearer => (
                header::AUTHORIZATION,
                Zeroizing::new(format!("Bearer {}", key.as_str())),
            ),
            Authorization::Basic(_) => (header::AUTHORIZATION, basic(key)),
            Authorization::Header(name) => (HeaderName::from_static(name), key.clone()),
            Authorization::Token { path, .. } => {
                let token = self.token(source, api, path, key).await?;
                let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
                (header::AUTHORIZATION, bearer)
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(unavailable)?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// RFC 6749, 4.4: fetched with the key, kept until shortly before its end.
    async fn token(
        &self,
        source: &Source,
        api: Api,
        path: &str,
        key: &Zeroizing<String>,
    ) -> Result<Zeroizing<String>, AskError> {
        let now = clock::now();
        if let Some(token) = self.tokens.lock().get(&source.id)
            && token.ends_at > now
            && token.key == *key
        {
            return Ok(token.text.clone());
        }
        let url = self.url(source, api, path)?;
        let mut credential = HeaderValue::from_str(&basic(key)).map_err(unavailable)?;
        credential.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, credential);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let form = "application/x-www-form-urlencoded";
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
        let grant = b"grant_type=client_credentials".to_vec();
        let answer = self.sending.dialer.send(&url, headers, grant).await;
        let answer = answer.map_err(unavailable)?;
        if answer.status != 200 {
            return Err(refused(answer.status));
        }
        let given: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| AskError::Unreadable("it is no access token".to_owned()))?;
        let text = Zeroizing::new(given.access_token);
        let life = Duration::from_secs(given.expires_in).saturating_sub(TOKEN_MARGIN);
        let mut tokens = self.tokens.lock();
        tokens.retain(|_, token| token.ends_at > now);
        if tokens.len() < TOKENS_MAX {
            let token = Token {
                text: text.clone(),
                key: key.clone(),
                ends_at: now.plus(life),
            };
            tokens.insert(source.id.clone(), token);
        }
        Ok(text)
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

fn basic(key: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("Basic {}", BASE64.encode(key)))
}

fn unavailable(why: impl fmt::Display) -> AskError {
    AskError::Unavailable(why.to_string())
}

fn refused(status: u16) -> AskError {
    AskError::Unavailable(match status {
        401 | 403 => format!("HTTP {status}: it does not take the source's api_key"),
        status => format!("HTTP {status}"),
    })
}
