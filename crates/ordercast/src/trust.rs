//! Whose certificates the commands believe: those that the system trusts, and a file's.

use anyhow::Context;
use std::{fs, path::Path, sync::Arc};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

/// `trusted`: a PEM file of certificates beside those that the system trusts.
pub fn client_config(trusted: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = trusted {
        let pem = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate
                .with_context(|| format!("{} is not PEM of certificates", file.display()))?;
            roots.add(certificate)?;
            count += 1;
        }
        anyhow::ensure!(count > 0, "{} holds no certificate", file.display());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
