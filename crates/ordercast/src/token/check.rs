//! `ordercast token check`: what a running server thinks of a buyer's token. Buyers get one and the same
//! 401 for every reason; who holds the project's API key is told which it was.

use crate::project_api::ProjectArgs;
use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::{io::Read, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  ordercast token check \"$TOKEN\" --project 7 --api-key \"$API_KEY\"
  pbpaste | ordercast token check - --project 7
  ordercast token check \"$TOKEN\" --json

A user's JWT, a payment token or a link token. Exits with 0 if it is accepted, with 1 if it is not. The
API key needs the scope keys:write.";

/// Far above the longest that a server takes.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CheckArgs {
    /// The token, or - to read it from stdin
    #[arg(value_name = "TOKEN")]
    token: String,
    #[command(flatten)]
    project: ProjectArgs,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let token = match args.token.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                .take(TOKEN_BYTES_MAX)
                .read_to_string(&mut text)
                .context("cannot read the token from stdin")?;
            text
        }
        token => token.to_owned(),
    };
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    if token.is_empty() {
        bail!("the token is empty");
    }
    let api = args.project.api()?;
    let request = api.request(Method::POST, "tokens/check");
    let answer = api.send(request.json(&json!({ "token": token }))).await?;
    let verdict: Value = answer.json().await.context("not an answer of Ordercast")?;
    if args.json {
        println!("{verdict}");
    } else {
        print!("{}", told(token, &verdict));
    }
    Ok(if verdict["accepted"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The verdict, and what the token says of itself, which is not verified.
fn told(token: &str, verdict: &Value) -> String {
    let text = |name: &str| verdict[name].as_str().unwrap_or("-");
    let mut lines = if verdict["accepted"] == true {
        let kind = text("kind").replace('_', " ");
        let mut lines = format!("accepted: {kind} of {}\n", text("user_external_id"));
        lines.push_str(&format!("refused from {} on\n", text("expires_at")));
        lines
    } else {
        format!("refused: {}\n", text("reason"))
    };
    let mut parts = token.split('.').map(object);
    for (part, names) in [
        ("header", &["alg", "kid", "typ"][..]),
        ("claims", &["sub", "exp", "nbf", "iat", "iss", "aud"]),
    ] {
        let Some(Some(object)) = parts.next() else {
            break;
        };
        let said: Vec<_> = names
            .iter()
            .filter_map(|name| Some(format!("{name} {}", object.get(*name)?)))
            .collect();
        lines.push_str(&format!("{part}: {}\n", said.join(", ")));
    }
    lines
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_and_what_the_token_says_of_itself() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!(
            "{}.{}.c2ln",
            part(json!({ "alg": "HS256", "kid": "a" })),
            part(json!({ "sub": 7, "exp": 1_000.5, "name": "secret" }))
        );
        let refused = json!({ "accepted": false, "reason": "the JWT is expired" });
        assert_eq!(
            told(&token, &refused),
            "refused: the JWT is expired\n\
             header: alg \"HS256\", kid \"a\"\n\
             claims: sub 7, exp 1000.5\n"
        );
        let accepted = json!({
            "accepted": true,
            "kind": "payment_token",
            "user_external_id": "alice",
            "expires_at": "2026-11-28T10:00:00.000Z",
        });
        assert_eq!(
            told("opaque", &accepted),
            "accepted: payment token of alice\nrefused from 2026-11-28T10:00:00.000Z on\n"
        );
    }
}
