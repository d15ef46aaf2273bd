//! `/v1/projects/{project}/jwt-keys` and `/jwt-rules`: which user JWTs a project accepts.

use super::{
    App,
    api_keys::{add, end, refusal, require, submit},
    body, caller, path_id,
    problem::Problem,
    render,
};
use crate::{
    auth::{
        Algorithm, check_key,
        jwks::{self, address::Address, document},
    },
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
};
use ordercast_store::{
    Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily, NewCredential,
    Outcome, Secret, TokenRules,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

const KID_BYTES_MAX: usize = 256;
const CLAIM_BYTES_MAX: usize = 200;
const LISTED_MAX: usize = 16;
const PARTY_BYTES_MAX: usize = 500;

/// A key (`algorithm` with `secret` or `public_key`), a pasted set of them, or the address of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    algorithm: Option<String>,
    kid: Option<String>,
    secret: Option<String>,
    public_key: Option<String>,
    jwks: Option<Box<RawValue>>,
    jwks_url: Option<String>,
}

pub async fn create(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    let by = caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let mut made_secret = None;
    let keys = match new {
        CreateBody {
            algorithm: Some(algorithm),
            kid,
            secret,
            public_key,
            jwks: None,
            jwks_url: None,
        } => {
            let algorithm = Algorithm::from_name(&algorithm).ok_or_else(|| {
                Problem::invalid("algorithm", "must be HS256, RS256, ES256 or EdDSA")
            })?;
            let value = match (algorithm, secret, public_key) {
                (Algorithm::Hs256, Some(secret), None) => judged("secret", algorithm, &secret)?,
                (Algorithm::Hs256, None, None) => {
                    let secret = clock::secret("oc_jwt_");
                    let value = Secret::new(secret.as_bytes());
                    made_secret = Some(secret);
                    value
                }
                (Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa, None, Some(pem)) => {
                    judged("public_key", algorithm, &pem)?
                }
                (Algorithm::Hs256, _, Some(_)) => {
                    return Err(Problem::invalid("public_key", "HS256 has a secret"));
                }
                (_, _, _) => {
                    let rule = "give the public key of this algorithm, PEM, and no secret";
                    return Err(Problem::invalid("public_key", rule));
                }
            };
            vec![credential(algorithm.kind(), checked_kid(kid)?, value)]
        }
        CreateBody {
            algorithm: None,
            kid: None,
            secret: None,
            public_key: None,
            jwks: Some(set),
            jwks_url: None,
        } => pasted(set.get())?,
        CreateBody {
            algorithm: None,
            kid: None,
            secret: None,
            public_key: None,
            jwks: None,
            jwks_url: Some(url),
        } => vec![addressed(&app, &url).await?],
        _ => {
            let rule = "give algorithm with secret or public_key, or jwks alone, or jwks_url alone";
            return Err(Problem::invalid("algorithm", rule));
        }
    };
    let made = add(&app, project, keys, by).await?;
    let mut keys: Vec<_> = made.iter().map(|key| render(&app, key)).collect();
    if let (Some(secret), Some(key)) = (made_secret, keys.first_mut()) {
        key["secret"] = json!(secret);
    }
    Ok((StatusCode::CREATED, Json(json!({ "keys": keys }))).into_response())
}

fn judged(field: &str, algorithm: Algorithm, value: &str) -> Result<Secret, Problem> {
    check_key(algorithm, value.as_bytes())
        .map_err(|error| Problem::invalid(field, error.to_string()))
}

fn checked_kid(kid: Option<String>) -> Result<Option<String>, Problem> {
    match kid {
        Some(kid) if !is_text(&kid, KID_BYTES_MAX) => Err(Problem::invalid(
            "kid",
            format!("must be 1 to {KID_BYTES_MAX} bytes without control characters"),
        )),
        kid => Ok(kid),
    }
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn credential(kind: CredentialKind, kid: Option<String>, value: Secret) -> NewCredential {
    NewCredential {
        kind,
        name: kind.as_str().to_owned(),
        label: String::new(),
        kid,
        scopes: None,
        value,
        key_set: None,
    }
}

fn pasted(set: &str) -> Result<Vec<NewCredential>, Problem> {
    let keys = document::parse(set.as_bytes())
        .map_err(|error| Problem::invalid("jwks", error.to_string()))?;
    some_key("jwks", &keys)?;
    Ok(keys
        .into_iter()
        .map(|key| credential(key.algorithm.kind(), key.kid, Secret::new(key.value)))
        .collect())
}

/// Asked at once: an address that gives no keys now is a mistake in it more often than an outage.
async fn addressed(app: &App, url: &str) -> Result<NewCredential, Problem> {
    let invalid = |rule: String| Problem::invalid("jwks_url", rule);
    let address =
        Address::parse(url, app.auth.reach()).map_err(|error| invalid(error.to_string()))?;
    let (body, keys) = jwks::try_out(&address, app.auth.reach())
        .await
        .map_err(|error| invalid(error.to_string()))?;
    some_key("jwks_url", &keys)?;
    Ok(NewCredential {
        key_set: Some(body),
        ..credential(CredentialKind::JwksUrl, None, Secret::new(url))
    })
}

fn some_key(field: &str, keys: &[document::PublicKey]) -> Result<(), Problem> {
    if keys.is_empty() {
        let rule = "has no key for RS256, ES256 or EdDSA signatures";
        return Err(Problem::invalid(field, rule));
    }
    Ok(())
}

pub async fn list(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let keys: Vec<_> = app
        .store
        .credentials(project, KeyFamily::Jwt)
        .await?
        .iter()
        .map(|key| render(&app, key))
        .collect();
    Ok(Json(json!({ "keys": keys })))
}

pub async fn retire(
    State(app): State<App>,
    Path((project, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    end(&app, &project, &id, &headers, KeyFamily::Jwt).await
}

fn render(app: &App, key: &Credential) -> Value {
    let mut answer = json!({
        "id": key.id,
        "algorithm": Algorithm::of(key.kind).map(Algorithm::name),
        "kid": key.kid,
        "created_at": render::time(key.created_at),
        "created_by": key.created_by,
        "retired_at": key.ended_at.map(render::time),
    });
    if key.kind == CredentialKind::JwksUrl {
        let registry = app.auth.registry();
        let source = registry.jwks(key.id);
        let report = source.map(jwks::Source::report);
        answer["jwks_url"] = json!(source.map(|source| source.address.as_str()));
        answer["key_set"] = json!(report.map(|report| {
            let keys: Vec<_> = report
                .keys
                .iter()
                .map(|(algorithm, kid)| json!({ "algorithm": algorithm, "kid": kid }))
                .collect();
            json!({
                "fetched_at": report.fetched_at.map(render::time),
                "keys": keys,
                "error": report.error.map(|error| error.to_string()),
            })
        }));
    }
    answer
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesBody {
    #[serde(default = "sub")]
    user_claim: String,
    #[serde(default)]
    audience: Vec<String>,
    #[serde(default)]
    issuer: Vec<String>,
}

fn sub() -> String {
    TokenRules::default().user_claim
}

pub async fn read_rules(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    let registry = app.auth.registry();
    let keys = registry.project(project).ok_or_else(Problem::not_found)?;
    Ok(Json(render_rules(&keys.rules)))
}

/// Replaces all of them.
pub async fn put_rules(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: RulesBody = body::json(&headers, &raw)?;
    if !is_text(&new.user_claim, CLAIM_BYTES_MAX) {
        let rule = format!("must be 1 to {CLAIM_BYTES_MAX} bytes without control characters");
        return Err(Problem::invalid("user_claim", rule));
    }
    for (field, list) in [("audience", &new.audience), ("issuer", &new.issuer)] {
        if list.len() > LISTED_MAX || !list.iter().all(|of| is_text(of, PARTY_BYTES_MAX)) {
            let rule = format!(
                "must be at most {LISTED_MAX} texts of 1 to {PARTY_BYTES_MAX} bytes without control characters"
            );
            return Err(Problem::invalid(field, rule));
        }
    }
    let rules = TokenRules {
        user_claim: new.user_claim,
        audiences: new.audience,
        issuers: new.issuer,
    };
    let answer = render_rules(&rules);
    let outcome = submit(&app, CredentialChange::SetTokenRules { project, rules }).await?;
    app.auth.reload().await?;
    match outcome {
        Outcome::Credentials(CredentialOutcome::Done) => Ok(Json(answer)),
        other => Err(refusal(&other)),
    }
}

fn render_rules(rules: &TokenRules) -> Value {
    json!({
        "user_claim": rules.user_claim,
        "audience": rules.audiences,
        "issuer": rules.issuers,
    })
}
