//! `ordercast token`: mints a user's JWT, for tests. `ordercast token check`: why one is refused.

mod check;

use anyhow::{Context, bail};
use check::CheckArgs;
use clap::{Args, Subcommand};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ordercast_core::{ProjectId, Timestamp, UserId};
use serde_json::{Map, Value, json};
use std::{path::PathBuf, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  ordercast token --project 1 --user alice                  with the secret of the demo's project
  ordercast token --project 7 --user alice --secret \"$SECRET\"
  ordercast token --project 7 --user alice --key private.pem --seconds 600
  ordercast token --project 7 --user alice --key private.pem --kid 2026-01 --issuer https://idp.example --audience shop
  ordercast token check \"$TOKEN\" --project 7             why the server refuses it

A key for --key: openssl genpkey -algorithm ed25519 -out private.pem; its public half, for the project's
jwt-keys: openssl pkey -in private.pem -pubout

The token is printed alone on stdout. In production the shop's own login makes such tokens; this
command is for trying out and for tests.";

#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: Option<TokenCommand>,
    /// Project that the token is for: its secret is looked up in the demo's keys
    #[arg(long, value_name = "ID", default_value = "1")]
    project: ProjectId,
    /// The buyer's id, `sub` of the token
    #[arg(long, value_name = "ID", required = true)]
    user: Option<UserId>,
    /// Sign with HS256 and this secret of at least 32 bytes
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_JWT_SECRET",
        conflicts_with = "key",
        hide_env_values = true
    )]
    secret: Option<String>,
    /// Sign with this private key, PEM: RS256, ES256 or EdDSA, by the kind of the key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Name of the key, for projects with several
    #[arg(long, value_name = "TEXT")]
    kid: Option<String>,
    /// `aud` of the token; several times for several
    #[arg(long, value_name = "TEXT")]
    audience: Vec<String>,
    /// `iss` of the token
    #[arg(long, value_name = "TEXT")]
    issuer: Option<String>,
    /// The claim that names the user
    #[arg(long, value_name = "NAME", default_value = "sub")]
    user_claim: String,
    /// Life of the token, 1 to 86400
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = clap::value_parser!(i64).range(1..=86_400))]
    seconds: i64,
    /// Where the demo keeps its keys
    #[arg(long, value_name = "FOLDER", default_value = crate::demo::start::DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Ask a running server whether it accepts a token, and why not
    Check(CheckArgs),
}

pub async fn run(args: TokenArgs) -> anyhow::Result<ExitCode> {
    if let Some(TokenCommand::Check(check)) = &args.command {
        return check::run(check).await;
    }
    mint(&args)?;
    Ok(ExitCode::SUCCESS)
}

fn mint(args: &TokenArgs) -> anyhow::Result<()> {
    let (algorithm, key) = match (&args.secret, &args.key) {
        (Some(secret), _) => (Algorithm::HS256, hs256(secret)?),
        (None, Some(file)) => {
            let pem = std::fs::read(file)
                .with_context(|| format!("cannot read --key {}", file.display()))?;
            private_key(&pem).with_context(|| {
                format!(
                    "--key {} is not a private key in PEM form of RSA, P-256 or Ed25519; \
                     for -----BEGIN EC PRIVATE KEY----- use openssl pkcs8 -topk8 -nodes",
                    file.display()
                )
            })?
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
            (Algorithm::HS256, hs256(&keys.jwt_secret)?)
        }
    };
    let mut header = Header::new(algorithm);
    header.kid.clone_from(&args.kid);
    let claims = claims(args, ordercast_server::clock::now());
    let token = jsonwebtoken::encode(&header, &claims, &key).context("cannot sign the token")?;
    println!("{token}");
    Ok(())
}

/// A token of an hour, for the benchmark's buyers.
pub fn mint_hs256(secret: &str, user: &UserId) -> anyhow::Result<String> {
    let header = Header::new(Algorithm::HS256);
    let issued_at = ordercast_server::clock::now().millis() / 1000;
    let claims = json!({ "sub": user, "iat": issued_at, "exp": issued_at + 3600 });
    jsonwebtoken::encode(&header, &claims, &hs256(secret)?).context("cannot sign the token")
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

/// The kind of the key tells the algorithm.
fn private_key(pem: &[u8]) -> Option<(Algorithm, EncodingKey)> {
    let is_private = String::from_utf8_lossy(pem).contains("PRIVATE KEY-----");
    let rsa = || EncodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key));
    let p256 = || EncodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key));
    let ed25519 = || EncodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDSA, key));
    rsa()
        .or_else(|_| p256())
        .or_else(|_| ed25519())
        .ok()
        .filter(|_| is_private)
}

fn claims(args: &TokenArgs, now: Timestamp) -> Map<String, Value> {
    let issued_at = now.millis() / 1000;
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), json!(issued_at));
    claims.insert("exp".to_owned(), json!(issued_at + args.seconds));
    if let Some(issuer) = &args.issuer {
        claims.insert("iss".to_owned(), json!(issuer));
    }
    match args.audience.as_slice() {
        [] => {}
        [one] => drop(claims.insert("aud".to_owned(), json!(one))),
        several => drop(claims.insert("aud".to_owned(), json!(several))),
    }
    claims.insert(args.user_claim.clone(), json!(args.user));
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use jsonwebtoken::{DecodingKey, Validation};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        token: TokenArgs,
    }

    const P256: (&str, &str) = (
        "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyHGmHv6vXJMmEpRI
8c48wVwO2plTbLTMpf+HzmMNtV6hRANCAAR4R/pTAubbpYdMkdfGIxA81tlvsvti
YS9VyY8X13x4PJENCC+lgNbHAkvIFXPuZNqZNdtHtn+wQ9PCmg1naoL5
-----END PRIVATE KEY-----
",
        "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeEf6UwLm26WHTJHXxiMQPNbZb7L7
YmEvVcmPF9d8eDyRDQgvpYDWxwJLyBVz7mTamTXbR7Z/sEPTwpoNZ2qC+Q==
-----END PUBLIC KEY-----
",
    );
    const ED25519: (&str, &str) = (
        "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAkVni6COQptj3g/LKj3/9Tt5Qt86GxAhNRrOJtd7GgP
-----END PRIVATE KEY-----
",
        "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA3sqZ2SIrKnYK2q0tneGhK7TYmgm4VOcSBV+1HC+szLU=
-----END PUBLIC KEY-----
",
    );

    #[test]
    fn the_kind_of_the_key_tells_the_algorithm() {
        for (algorithm, (private, public), read) in [
            (
                Algorithm::ES256,
                P256,
                DecodingKey::from_ec_pem as fn(&[u8]) -> _,
            ),
            (Algorithm::EdDSA, ED25519, DecodingKey::from_ed_pem),
        ] {
            let (found, key) = private_key(private.as_bytes()).expect("a key");
            assert_eq!(found, algorithm);
            let claims = json!({ "exp": i64::MAX });
            let token = jsonwebtoken::encode(&Header::new(found), &claims, &key).expect("signed");
            let public = read(public.as_bytes()).expect("a key");
            jsonwebtoken::decode::<Value>(token, &public, &Validation::new(algorithm))
                .expect("verified");
        }
        assert!(private_key(ED25519.1.as_bytes()).is_none(), "a public key");
        assert!(private_key(b"no key").is_none());
    }

    #[test]
    fn claims_are_what_was_asked_for() {
        let args = |more: &[&str]| {
            let always = ["token", "--user", "alice", "--seconds", "60"];
            Cli::try_parse_from(always.iter().chain(more)).expect("arguments")
        };
        let now = Timestamp::from_seconds(1_000);
        let plain = Value::Object(claims(&args(&[]).token, now));
        assert_eq!(plain, json!({ "iat": 1_000, "exp": 1_060, "sub": "alice" }));
        let more = [
            "--audience",
            "a",
            "--audience",
            "b",
            "--issuer",
            "idp",
            "--user-claim",
            "id",
        ];
        let all = Value::Object(claims(&args(&more).token, now));
        assert_eq!(
            all,
            json!({ "iat": 1_000, "exp": 1_060, "id": "alice", "aud": ["a", "b"], "iss": "idp" })
        );
    }
}
