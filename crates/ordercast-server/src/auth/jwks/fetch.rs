//! One GET of a key set: bounded in time and size.

use super::{
    address::{Address, Reach},
    document::DOCUMENT_BYTES_MAX,
};
use crate::outbound::{connect::System, dial::Dialer};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use std::{sync::OnceLock, time::Duration};
use thiserror::Error;

/// The whole of it (guarantees, 3.1).
const TIMEOUT: Duration = Duration::from_secs(3);

/// Kept coarse: it is shown to a project's administrator, who must not learn about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    #[error("could not be reached within {} s", TIMEOUT.as_secs())]
    Unreachable,
    #[error("did not answer with 200")]
    Status,
    #[error("is larger than {DOCUMENT_BYTES_MAX} bytes or broke off")]
    Body,
}

/// # Errors
/// [`FetchError`].
pub async fn fetch(address: &Address, reach: Reach) -> Result<Bytes, FetchError> {
    let dialer = dialer(reach).ok_or(FetchError::Unreachable)?;
    let mut headers = HeaderMap::new();
    let accept = "application/jwk-set+json, application/json";
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    let answer = dialer
        .get(address.target(), headers, DOCUMENT_BYTES_MAX)
        .await
        .map_err(|error| {
            tracing::debug!(%error, host = address.target().host(), "key set not reached");
            FetchError::Unreachable
        })?;
    if answer.status != 200 {
        return Err(FetchError::Status);
    }
    if !answer.is_whole {
        return Err(FetchError::Body);
    }
    Ok(answer.body.into())
}

/// Trusts what the operating system trusts, where self-hosters put their own authority. Made once: the
/// certificates are many.
fn dialer(reach: Reach) -> Option<&'static Dialer> {
    static PUBLIC: OnceLock<Option<Dialer>> = OnceLock::new();
    static ANYWHERE: OnceLock<Option<Dialer>> = OnceLock::new();
    let made = match reach {
        Reach::Public => &PUBLIC,
        Reach::Anywhere => &ANYWHERE,
    };
    made.get_or_init(|| {
        Dialer::without_pool(reach.policy(), System, TIMEOUT)
            .inspect_err(|error| tracing::error!(%error, "no TLS for key sets"))
            .ok()
    })
    .as_ref()
}
