//! The key pair of the server's own TLS.

use super::Finding;
use ordercast_server::{clock, config::Config, tls};

/// Nothing where TLS is left to a proxy.
pub fn examine(config: &Config) -> Option<Finding> {
    let subject = "TLS certificate";
    let files = config.tls_files()?;
    let now = clock::now();
    Some(match files.load(now) {
        Err(error) => Finding::error(
            subject,
            error.to_string(),
            "a server does not start with it; one that runs keeps the pair it has",
        ),
        Ok(pair) => {
            let said = format!("valid until {}", tls::date(pair.valid_until));
            if pair.ends_soon(now) {
                let advice = "renew it; the server takes it into use within a second or two";
                Finding::warning(subject, said, advice)
            } else {
                Finding::ok(subject, said)
            }
        }
    })
}
