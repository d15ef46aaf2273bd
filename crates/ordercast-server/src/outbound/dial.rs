//! One request: no redirects, no proxies, no address that the policy forbids, bounded in time and in what
//! of the answer is kept.

pub use super::fault::{SendError, Unanswered};

use super::{
    connect::{Connector, Dialled, Lookup, note_dialled},
    fault::why,
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
use std::{fmt, net::SocketAddr, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::{Error as TlsError, pki_types::CertificateDer};

/// Of the answer's body (guarantees, 3.1).
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// For the answer's body, where the status is what counts: an endpoint that is slow to end its answer
/// must not hold up what comes next.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
/// Lines of an answer's head.
const HEAD_LINES_MAX: usize = 500;
/// Idle connections of one host, and for how long.
const IDLE_MAX: usize = 64;
const IDLE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// How it began.
    pub body: Vec<u8>,
    /// Nothing of the body is missing.
    pub is_whole: bool,
    /// That was dialled.
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
        Self::with_idle(policy, lookup, roots, timeout, IDLE_MAX)
    }

    /// Keeps no connection for a next request: for addresses that are asked seldom.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn without_pool(
        policy: Policy,
        lookup: impl Lookup,
        timeout: Duration,
    ) -> Result<Self, TlsError> {
        Self::with_idle(policy, lookup, Vec::new(), timeout, 0)
    }

    fn with_idle(
        policy: Policy,
        lookup: impl Lookup,
        roots: Vec<CertificateDer<'static>>,
        timeout: Duration,
        idle_max: usize,
    ) -> Result<Self, TlsError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(idle_max)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            // Answers are read as generously as the clients read them that receivers were tried with:
            // a warning of PHP, a folded line or a space before the colon is no reason to send again.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_max_headers(HEAD_LINES_MAX)
            .build(Connector::new(policy, lookup, roots)?);
        Ok(Self {
            client: Box::new(client),
            timeout,
        })
    }

    /// The status is what counts: of the body is kept what comes soon after it.
    ///
    /// # Errors
    /// [`Unanswered`]: it may or may not have arrived.
    pub async fn send(
        &self,
        url: &TargetUrl,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Unanswered> {
        let request = Request::post(url.url().as_str()).body(Full::from(body));
        let reading = Reading {
            bytes_max: BODY_BYTES_MAX,
            patience: Some(BODY_PATIENCE),
        };
        self.call(request, headers, reading).await
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
        let reading = Reading {
            bytes_max,
            patience: None,
        };
        let answer = self.call(request, headers, reading).await;
        answer.map_err(|unanswered| unanswered.error)
    }

    async fn call(
        &self,
        request: http::Result<Request<Full<Bytes>>>,
        headers: HeaderMap,
        reading: Reading,
    ) -> Result<Answer, Unanswered> {
        let deadline = Instant::now() + self.timeout;
        let mut request = request.map_err(|_| Unanswered {
            error: SendError::Unresolved,
            address: None,
        })?;
        *request.headers_mut() = headers;
        let agent = concat!("Ordercast/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [(header::USER_AGENT, agent), (header::ACCEPT, "*/*")] {
            request
                .headers_mut()
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
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
        let until = match reading.patience {
            None => deadline,
            Some(patience) => deadline.min(Instant::now() + patience),
        };
        // The status has come: a body that is slow or breaks off does not change the answer.
        let read = timeout_at(until, beginning(response, reading.bytes_max, &mut kept)).await;
        Ok(Answer {
            status,
            retry_after,
            body: kept,
            is_whole: read.unwrap_or(false),
            address,
        })
    }
}

/// How much of an answer's body is read.
struct Reading {
    bytes_max: usize,
    /// After the head; `None`: as long as the request has.
    patience: Option<Duration>,
}

/// Whether that was all.
async fn beginning(response: Response<Incoming>, bytes_max: usize, kept: &mut Vec<u8>) -> bool {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        if let Ok(data) = frame.into_data() {
            let room = bytes_max - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return false;
            }
        }
    }
    true
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
