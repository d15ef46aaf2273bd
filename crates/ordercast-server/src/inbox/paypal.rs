//! Certificates that PayPal signs webhooks with: fetched from PayPal only, checked up to a root that is
//! trusted, kept by their address.

use super::{Unopened, refused::Refusal};
use crate::{clock, delivery::sending::Sending, outbound::guard::TargetUrl};
use http::HeaderMap;
use ordercast_core::provider::{PaypalTransmission, is_paypals_name};
use parking_lot::Mutex;
use rustls_native_certs::load_native_certs;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
};

const CHAIN_BYTES_MAX: usize = 64 * 1024;
/// PayPal changes it every few months.
const KEPT_MAX: usize = 8;

type Chain = Arc<Vec<CertificateDer<'static>>>;

pub struct Certificates {
    roots: RootCertStore,
    kept: Mutex<Vec<(String, Chain)>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(..)")
    }
}

impl Certificates {
    /// `roots`: trusted beside the system's.
    pub fn new(more: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(load_native_certs().certs);
        roots.add_parsable_certificates(more);
        Self {
            roots,
            kept: Mutex::default(),
        }
    }

    /// `asking`: permits of questions at once, taken only where the certificate is not at hand.
    ///
    /// # Errors
    /// [`Unopened`]: it is not PayPal's, or its certificate could not be had now.
    pub async fn verify(
        &self,
        (sending, asking): (&Sending, &Semaphore),
        transmission: &PaypalTransmission,
        api_url: Option<&str>,
    ) -> Result<(), Unopened> {
        let address = &transmission.certificate_url;
        let url = TargetUrl::parse(address, &sending.policy).map_err(|_| not_paypals())?;
        if !is_paypals(&url, address, api_url) {
            return Err(not_paypals());
        }
        if let Some(chain) = self.kept(address) {
            let is_signed = is_signed(&chain, &self.roots, transmission);
            return is_signed.then_some(()).ok_or_else(not_signed);
        }
        let permit = asking.try_acquire().map_err(|_| Unopened::busy())?;
        let chain = fetch(sending, &url).await?;
        drop(permit);
        if !is_signed(&chain, &self.roots, transmission) {
            return Err(not_signed());
        }
        self.keep(address, chain);
        Ok(())
    }

    fn kept(&self, address: &str) -> Option<Chain> {
        let kept = self.kept.lock();
        let mut chains = kept.iter();
        chains
            .find(|(known, _)| known == address)
            .map(|(_, chain)| Arc::clone(chain))
    }

    /// Only one that has proved a request: forgers must not push those out that PayPal signs with.
    fn keep(&self, address: &str, chain: Chain) {
        let mut kept = self.kept.lock();
        kept.retain(|(known, _)| known != address);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((address.to_owned(), chain));
    }
}

fn not_paypals() -> Unopened {
    let why = "the certificate that it names is not at PayPal";
    Unopened::Refused(Refusal::new("certificate", why))
}

fn not_signed() -> Unopened {
    let why = "the signature is not by PayPal's certificate, or covers another body or webhook_id";
    Unopened::Refused(Refusal::new("signature", why))
}

async fn fetch(sending: &Sending, url: &TargetUrl) -> Result<Chain, Unopened> {
    let answer = sending
        .dialer
        .get(url, HeaderMap::new(), CHAIN_BYTES_MAX)
        .await
        .map_err(|error| Unopened::Later(format!("PayPal's certificate: {error}")))?;
    match answer.status {
        200 => {}
        // A forger may name any path.
        400..=499 => return Err(not_paypals()),
        status => {
            let why = format!("PayPal's certificate: HTTP {status}");
            return Err(Unopened::Later(why));
        }
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&answer.body)
        .collect::<Result<_, _>>()
        .map_err(|_| not_paypals())?;
    Ok(Arc::new(chain))
}

/// https, at PayPal; or where the source says its API is.
fn is_paypals(url: &TargetUrl, address: &str, api_url: Option<&str>) -> bool {
    let host = url.host();
    let is_theirs = host == "paypal.com" || host.ends_with(".paypal.com");
    let is_named = api_url.is_some_and(|base| {
        address
            .strip_prefix(base.trim_end_matches('/'))
            .is_some_and(|rest| rest.starts_with('/'))
    });
    (is_theirs && url.url().scheme() == "https") || is_named
}

/// RSA-SHA256 by the first certificate, which is PayPal's by its name, and from which the others lead to a
/// root: a public authority gives certificates to anybody.
pub fn is_signed(
    chain: &[CertificateDer<'static>],
    roots: &RootCertStore,
    transmission: &PaypalTransmission,
) -> bool {
    let Some((first, others)) = chain.split_first() else {
        return false;
    };
    let Ok(certificate) = EndEntityCert::try_from(first) else {
        return false;
    };
    let millis = u64::try_from(clock::now().millis()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(Duration::from_millis(millis));
    let is_trusted = certificate
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &roots.roots,
            others,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .is_ok();
    let signed = transmission.signed.as_bytes();
    is_trusted
        && certificate.valid_dns_names().any(is_paypals_name)
        && certificate
            .verify_signature(RSA_PKCS1_2048_8192_SHA256, signed, &transmission.signature)
            .is_ok()
}
