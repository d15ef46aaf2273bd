//! What all attempts share, and endpoints as attempts need them.

use super::sign::{self, SigningSecret};
use crate::{
    StartError,
    config::Config,
    outbound::{
        connect::System,
        dial::Dialer,
        guard::{Policy, TargetUrl},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue};
use ordercast_core::{
    ProjectId, Timestamp,
    delivery::{CustomHeaders, Form},
    ids::EndpointId,
};
use ordercast_store::{Endpoint, Failure, Store};
use std::{fmt, path::Path, sync::Arc, time::Duration};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

pub struct Sending {
    pub store: Store,
    pub dialer: Dialer,
    pub policy: Policy,
    /// For how long it is known what was sent; `None`: for ever.
    pub kept: Option<Duration>,
    /// Trusted beside those of the system.
    pub roots: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending(..)")
    }
}

/// An enabled endpoint.
pub struct Target {
    pub id: EndpointId,
    pub project: ProjectId,
    pub url: TargetUrl,
    pub form: Form,
    pub rate: Option<u32>,
    pub concurrency: u32,
    /// Newest first, each with its end.
    secrets: Vec<(SigningSecret, Option<Timestamp>)>,
    /// Of the shop's own; never one of the signature's.
    custom: HeaderMap,
}

/// Without the secrets.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.id)
    }
}

impl Target {
    /// Of a request with this body.
    pub fn headers(&self, id: &str, now: Timestamp, body: &[u8]) -> HeaderMap {
        let live: Vec<_> = self
            .secrets
            .iter()
            .filter(|(_, end)| end.is_none_or(|end| end > now))
            .map(|(secret, _)| secret)
            .collect();
        let mut headers = self.custom.clone();
        let signed = sign::headers(id, now.millis() / 1_000, body, &live, self.form.mode);
        headers.extend(signed);
        headers
    }
}

#[cfg(test)]
impl Target {
    pub fn of_tests(id: i64, project: i64, url: &str) -> Self {
        Self {
            id: EndpointId::new(id).expect("id"),
            project: ProjectId::new(project).expect("id"),
            url: TargetUrl::parse(url, &Policy::default()).expect("a URL"),
            form: Form {
                mode: ordercast_core::delivery::Mode::Standard,
                has_item_flags: false,
            },
            rate: None,
            concurrency: 4,
            secrets: Vec::new(),
            custom: HeaderMap::new(),
        }
    }
}

impl Sending {
    /// # Errors
    /// [`StartError`] naming the setting.
    pub fn open(config: &Config, store: Store) -> Result<Self, StartError> {
        let roots = roots(config)?;
        let policy = config.webhook_policy();
        let timeout = Duration::from_secs(config.webhook_timeout_seconds.into());
        Ok(Self {
            store,
            dialer: Dialer::new(policy.clone(), System, roots.clone(), timeout)
                .map_err(StartError::Tls)?,
            policy,
            kept: config
                .delivery_days
                .map(|days| Duration::from_secs(u64::from(days) * 24 * 3600)),
            roots,
        })
    }

    /// Endpoints that may be sent to. One whose URL the configuration no longer allows, or whose
    /// secrets cannot be read, waits: nothing is sent unsigned.
    pub async fn targets(&self) -> Result<Vec<Arc<Target>>, Failure> {
        let endpoints = self.store.endpoints(None).await?;
        let enabled = endpoints
            .iter()
            .filter(|endpoint| endpoint.disabled.is_none());
        Ok(enabled
            .filter_map(|endpoint| self.target(endpoint))
            .collect())
    }

    pub fn target(&self, endpoint: &Endpoint) -> Option<Arc<Target>> {
        let settings = &endpoint.settings;
        let url = match TargetUrl::parse(&settings.url, &self.policy) {
            Ok(url) => url,
            Err(error) => {
                tracing::error!(endpoint = %endpoint.id, %error, "nothing is sent to this endpoint");
                return None;
            }
        };
        let secrets: Vec<_> = endpoint
            .secrets
            .iter()
            .filter_map(|secret| {
                let text = std::str::from_utf8(secret.value.expose()).ok()?;
                Some((SigningSecret::parse(text).ok()?, secret.expires_at))
            })
            .collect();
        if secrets.is_empty() {
            tracing::error!(endpoint = %endpoint.id, "it has no readable secret: nothing is sent");
            return None;
        }
        let Some(custom) = &endpoint.headers else {
            tracing::error!(endpoint = %endpoint.id, "its headers cannot be opened: nothing is sent");
            return None;
        };
        Some(Arc::new(Target {
            id: endpoint.id,
            project: endpoint.project,
            url,
            form: settings.form(),
            rate: settings.rate,
            concurrency: settings.concurrency,
            secrets,
            custom: header_map(custom),
        }))
    }
}

fn header_map(custom: &CustomHeaders) -> HeaderMap {
    custom
        .iter()
        .filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        })
        .collect()
}

/// # Errors
/// [`StartError`] naming the setting.
pub fn check_certificates(config: &Config) -> Result<(), StartError> {
    roots(config).map(drop)
}

fn roots(config: &Config) -> Result<Vec<CertificateDer<'static>>, StartError> {
    match &config.webhook_certificates {
        None => Ok(Vec::new()),
        Some(path) => certificates(path).map_err(|why| StartError::WebhookCertificates {
            path: path.clone(),
            why,
        }),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| "it is not PEM".to_owned())?;
    if found.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(found)
}
