//! One request to an endpoint: no redirects, no proxies, no address that the policy forbids, bounded in
//! time and in what of the answer is kept.

use super::{
    connect::{Connector, Dialled, Lookup, note_dialled},
    guard::{Policy, TargetUrl},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{
        Client, Error as ClientError,
        connect::{CaptureConnection, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    error::Error as StdError,
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use thiserror::Error;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::timeout_at;
use tokio_rustls::rustls::{Error as TlsError, pki_types::CertificateDer};

/// Of the answer's body (guarantees, 3.1).
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Idle connections of one host, and for how long.
const IDLE_MAX: usize = 64;
const IDLE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// How it began.
    pub body: Vec<u8>,
    /// That was dialled.
    pub address: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    #[error("its name does not resolve")]
    Unresolved,
    #[error("its name resolves to {0}, which is not public")]
    Guarded(IpAddr),
    #[error("no connection to it")]
    Connect,
    #[error("its certificate or its TLS was not accepted")]
    Tls,
    #[error("no answer in time")]
    Timeout,
    #[error("the connection broke off before an answer came")]
    Broken,
}

/// That there was no answer, and which address it was expected from, if one was dialled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct Unanswered {
    pub error: SendError,
    pub address: Option<SocketAddr>,
}

pub struct Dialer {
    client: Box<dyn Call>,
    timeout: Duration,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer(..)")
    }
}

type Called = BoxFuture<'static, Result<Response<Incoming>, ClientError>>;

/// The client, whatever resolves names for it.
trait Call: Send + Sync {
    fn call(&self, request: Request<Full<Bytes>>) -> Called;
}

impl<L: Lookup> Call for Client<Connector<L>, Full<Bytes>> {
    fn call(&self, request: Request<Full<Bytes>>) -> Called {
        Box::pin(self.request(request))
    }
}

impl Dialer {
    /// `roots`: certificates to be trusted beside the system's, for endpoints in the operator's own
    /// network. `timeout` is for a whole request, the beginning of its answer included.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        policy: Policy,
        lookup: impl Lookup,
        roots: Vec<CertificateDer<'static>>,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(Connector::new(policy, lookup, roots)?);
        Ok(Self {
            client: Box::new(client),
            timeout,
        })
    }

    /// # Errors
    /// [`Unanswered`]: it may or may not have arrived.
    pub async fn send(
        &self,
        url: &TargetUrl,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Unanswered> {
        let request = Request::post(url.url().as_str()).body(Full::from(body));
        self.call(request, headers, BODY_BYTES_MAX).await
    }

    /// Keeps at most `bytes_max` of the answer.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn get(
        &self,
        url: &TargetUrl,
        headers: HeaderMap,
        bytes_max: usize,
    ) -> Result<Answer, SendError> {
        let request = Request::get(url.url().as_str()).body(Full::default());
        let answer = self.call(request, headers, bytes_max).await;
        answer.map_err(|unanswered| unanswered.error)
    }

    async fn call(
        &self,
        request: http::Result<Request<Full<Bytes>>>,
        headers: HeaderMap,
        bytes_max: usize,
    ) -> Result<Answer, Unanswered> {
        let deadline = tokio::time::Instant::now() + self.timeout;
        let mut request = request.map_err(|_| Unanswered {
            error: SendError::Connect,
            address: None,
        })?;
        *request.headers_mut() = headers;
        let agent = concat!("Ordercast/", env!("CARGO_PKG_VERSION"));
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(agent));
        // A connection that is used again was not dialled in this call.
        let used = capture_connection(&mut request);
        let (called, dialled) = note_dialled(timeout_at(deadline, self.client.call(request))).await;
        let called = match called {
            Err(_) => Err(SendError::Timeout),
            Ok(answered) => answered.map_err(|error| why(&error)),
        };
        let response = called.map_err(|error| Unanswered {
            error,
            address: address_of(&used).or(dialled),
        })?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(retry_after);
        let dialled: Option<&Dialled> = response.extensions().get();
        let (status, address) = (response.status().as_u16(), dialled.map(|dialled| dialled.0));
        let mut kept = Vec::new();
        // The status has come: a body that is slow or breaks off does not change the answer.
        let _ = timeout_at(deadline, beginning(response, bytes_max, &mut kept)).await;
        Ok(Answer {
            status,
            retry_after,
            body: kept,
            address,
        })
    }
}

async fn beginning(response: Response<Incoming>, bytes_max: usize, kept: &mut Vec<u8>) {
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            let room = bytes_max - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return;
            }
        }
    }
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    let now = OffsetDateTime::from_unix_timestamp(crate::clock::now().millis() / 1_000).ok()?;
    Duration::try_from(at - now).ok()
}

fn address_of(used: &CaptureConnection) -> Option<SocketAddr> {
    let metadata = used.connection_metadata();
    let mut extensions = http::Extensions::new();
    metadata.as_ref()?.get_extras(&mut extensions);
    extensions.get().map(|dialled: &Dialled| dialled.0)
}

/// Ours stands in the chain of causes.
fn why(error: &ClientError) -> SendError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(known) = inner.downcast_ref::<SendError>() {
            return known.clone();
        }
        cause = inner.source();
    }
    SendError::Broken
}
