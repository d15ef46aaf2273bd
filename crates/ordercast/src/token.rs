//! `ordercast token`: mints a user's JWT, for tests.

use anyhow::{Context, bail};
use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ordercast_core::{ProjectId, Timestamp, UserId};
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  ordercast token --project 1 --user alice                  with the secret of the demo's project
  ordercast token --project 7 --user alice --secret \"$SECRET\"
  ordercast token --project 7 --user alice --key private.pem --seconds 600

The token is printed alone on stdout. In production the shop's own login makes such tokens; this
command is for trying out and for tests.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TokenArgs {
    /// Project that the token is for: its secret is looked up in the demo's keys
    #[arg(long, value_name = "ID", default_value = "1")]
    project: ProjectId,
    /// The buyer's id, `sub` of the token
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// Sign with HS256 and this secret of at least 32 bytes
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_JWT_SECRET",
        conflicts_with = "key",
        hide_env_values = true
    )]
    secret: Option<String>,
    /// Sign with RS256 and this private key, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Life of the token, 1 to 86400
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = clap::value_parser!(i64).range(1..=86_400))]
    seconds: i64,
    /// Where the demo keeps its keys
    #[arg(long, value_name = "FOLDER", default_value = crate::demo::start::DATA_DIR)]
    data_dir: PathBuf,
}

pub fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let (header, key) = match (&args.secret, &args.key) {
        (Some(secret), _) => (Header::new(Algorithm::HS256), hs256(secret)?),
        (None, Some(file)) => {
            let pem = std::fs::read(file)
                .with_context(|| format!("cannot read --key {}", file.display()))?;
            let key = EncodingKey::from_rsa_pem(&pem).with_context(|| {
                format!(
                    "--key {} is not an RSA private key in PEM form",
                    file.display()
                )
            })?;
            (Header::new(Algorithm::RS256), key)
        }
        (None, None) => {
            let keys = crate::demo::start::Keys::read(&args.data_dir)?.with_context(|| {
                format!(
                    "no demo keys in {}; give --secret, --key or --data-dir",
                    args.data_dir.display()
                )
            })?;
            if keys.project_id != args.project {
                bail!(
                    "the demo's project is {}; for {} give --secret or --key",
                    keys.project_id,
                    args.project
                );
            }
            (Header::new(Algorithm::HS256), hs256(&keys.jwt_secret)?)
        }
    };
    println!(
        "{}",
        mint(
            &header,
            &key,
            &args.user,
            args.seconds,
            ordercast_server::clock::now()
        )?
    );
    Ok(())
}

/// A token of an hour, for the benchmark's buyers.
pub fn mint_hs256(secret: &str, user: &UserId) -> anyhow::Result<String> {
    let header = Header::new(Algorithm::HS256);
    let now = ordercast_server::clock::now();
    mint(&header, &hs256(secret)?, user, 3600, now)
}

fn hs256(secret: &str) -> anyhow::Result<EncodingKey> {
    if secret.len() < 32 {
        bail!(
            "--secret has {} bytes; HS256 needs at least 32",
            secret.len()
        );
    }
    Ok(EncodingKey::from_secret(secret.as_bytes()))
}

fn mint(
    header: &Header,
    key: &EncodingKey,
    user: &UserId,
    seconds: i64,
    now: Timestamp,
) -> anyhow::Result<String> {
    let issued_at = now.millis() / 1000;
    let claims = json!({ "sub": user, "iat": issued_at, "exp": issued_at + seconds });
    jsonwebtoken::encode(header, &claims, key).context("cannot sign the token")
}
