//! A certificate chain and its private key, read from two PEM files and found to fit.

use crate::clock;
use metrics::gauge;
use ordercast_core::Timestamp;
use sha2::{Digest, Sha256};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_rustls::rustls::{
    Error,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Far more than a chain of certificates takes.
const FILE_BYTES_MAX: u64 = 1 << 20;
const RENEWED_BY: Duration = Duration::from_secs(14 * 24 * 3600);

/// Where the key pair is.
#[derive(Clone, Debug)]
pub struct Files {
    /// `tls_certificate`: the server's certificate first, then those that signed it.
    pub certificate: PathBuf,
    /// `tls_key`
    pub key: PathBuf,
}

/// Why a key pair cannot be used; each says which setting, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum KeyPairError {
    #[error("cannot read {setting} {path}: {source}")]
    Read {
        setting: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "tls_certificate {0} holds no certificate that can be read; it must be PEM, the server's own \
         certificate first"
    )]
    NoCertificate(PathBuf),
    #[error(
        "tls_key {0} holds no private key that can be read; it must be PEM, without a passphrase"
    )]
    NoKey(PathBuf),
    #[error(
        "tls_key {key} does not belong to the first certificate of tls_certificate {certificate}"
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error(
        "tls_key {path} cannot be used: {source}; RSA of 2048 bits or more, ECDSA and Ed25519 can"
    )]
    Key { path: PathBuf, source: Error },
    #[error("tls_certificate {path} expired at {}; renew it", date(*at))]
    Expired { path: PathBuf, at: Timestamp },
    #[error("tls_certificate {path} is not valid before {}; look at the clock of this machine", date(*at))]
    NotYet { path: PathBuf, at: Timestamp },
}

/// Both files as they were read: a change is a change of content, whatever the file times say.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.certificate.len().to_le_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finalize().into()
    }
}

/// Without the private key.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

/// A pair that can be used now.
pub struct KeyPair {
    pub(super) certified: Arc<CertifiedKey>,
    /// Of the server's own certificate.
    pub valid_until: Timestamp,
}

impl KeyPair {
    /// Whether it is time to look why it was not renewed: public ones are renewed a month before.
    #[must_use]
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        self.valid_until < now.plus(RENEWED_BY)
    }

    pub(super) fn report(&self) {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating point")]
        gauge!("ordercast_certificate_not_after_seconds")
            .set(self.valid_until.millis() as f64 / 1000.0);
        let valid_until = date(self.valid_until);
        if self.ends_soon(clock::now()) {
            tracing::warn!(%valid_until, "the TLS certificate ends soon and was not renewed");
        } else {
            tracing::info!(%valid_until, "TLS certificate in use");
        }
    }
}

/// RFC 3339, to the second.
#[must_use]
pub fn date(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1_000)).ok();
    at.and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| "an unknown time".to_owned())
}

impl Files {
    pub(super) fn read(&self) -> Result<Contents, KeyPairError> {
        let read = |setting, path: &PathBuf| {
            read(path).map_err(|source| KeyPairError::Read {
                setting,
                path: path.clone(),
                source,
            })
        };
        Ok(Contents {
            certificate: read("tls_certificate", &self.certificate)?,
            key: read("tls_key", &self.key)?,
        })
    }

    /// # Errors
    /// [`KeyPairError`] when the pair could not serve clients at `now`.
    pub fn load(&self, now: Timestamp) -> Result<KeyPair, KeyPairError> {
        self.check(&self.read()?, now)
    }

    pub(super) fn check(
        &self,
        contents: &Contents,
        now: Timestamp,
    ) -> Result<KeyPair, KeyPairError> {
        let no_certificate = || KeyPairError::NoCertificate(self.certificate.clone());
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| no_certificate())?;
        let first = chain.first().ok_or_else(no_certificate)?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| no_certificate())?;
        let validity = parsed.validity();
        let valid_from = Timestamp::from_seconds(validity.not_before.timestamp());
        let valid_until = Timestamp::from_seconds(validity.not_after.timestamp());
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| KeyPairError::NoKey(self.key.clone()))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| self.refusal(error))?;
        if valid_until < now {
            return Err(KeyPairError::Expired {
                path: self.certificate.clone(),
                at: valid_until,
            });
        }
        if now < valid_from {
            return Err(KeyPairError::NotYet {
                path: self.certificate.clone(),
                at: valid_from,
            });
        }
        Ok(KeyPair {
            certified: Arc::new(certified),
            valid_until,
        })
    }

    fn refusal(&self, error: Error) -> KeyPairError {
        match error {
            Error::InconsistentKeys(_) => KeyPairError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            },
            Error::InvalidCertificate(_) => KeyPairError::NoCertificate(self.certificate.clone()),
            source => KeyPairError::Key {
                path: self.key.clone(),
                source,
            },
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    fs::read(path)
}
