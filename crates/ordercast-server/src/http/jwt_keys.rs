//! `/v1/projects/{project}/jwt-keys` and `/jwt-rules`: which user JWTs a project accepts.

use super::{
    App,
    api_keys::{add, end, refusal, require, submit},
    body, caller,
    openapi::{self, Conflict, Empty},
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::{
    auth::{
        Algorithm, check_key,
        jwks::{
            self,
            address::Address,
            document::{self, Document, PassedOver},
        },
    },
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
    ids::CredentialId,
};
use ordercast_store::{
    Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily, NewCredential,
    Outcome, Secret, TokenRules,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt::Write;
use utoipa::ToSchema;

const KID_BYTES_MAX: usize = 256;
const CLAIM_BYTES_MAX: usize = 200;
const LISTED_MAX: usize = 16;
const PARTY_BYTES_MAX: usize = 500;

/// A key, a set of keys, or the address of a set
///
/// `algorithm` with `secret` or `public_key`; or `jwks` alone; or `jwks_url` alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewJwtKey)]
struct CreateBody {
    /// HS256, RS256, ES256 or EdDSA.
    #[schema(pattern = "^(HS256|RS256|ES256|EdDSA)$", example = "HS256")]
    algorithm: Option<String>,
    /// Without it, tokens of any `kid` are tried with the key.
    #[schema(min_length = 1, max_length = 256)]
    kid: Option<String>,
    /// Of HS256: at least 32 bytes. Without it, one is made.
    #[schema(min_length = 32)]
    secret: Option<String>,
    /// Of the others, PEM.
    public_key: Option<String>,
    /// A JSON Web Key Set.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Box<RawValue>>,
    /// Where a JSON Web Key Set is; asked at once, and again when it changes.
    #[schema(example = "https://id.example/.well-known/jwks.json")]
    jwks_url: Option<String>,
}

/// Keys of users' JWTs
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JwtKeys)]
pub struct ListView {
    keys: Vec<KeyView>,
}

/// Keys of users' JWTs that are accepted from now on
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewJwtKeys)]
pub struct CreatedView {
    keys: Vec<KeyView>,
    /// Of a key set: the keys that no token is checked with.
    passed_over: Vec<PassedOverView>,
}

/// A key of a set that no token is checked with
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PassedOverKey)]
struct PassedOverView {
    /// Its place in the set, from 0.
    index: usize,
    #[schema(required)]
    kid: Option<String>,
    /// For people.
    #[schema(example = "it is an Ed448 key; of the EdDSA algorithms only Ed25519 is accepted")]
    reason: &'static str,
}

/// A key of users' JWTs, or the address of a set
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JwtKey)]
struct KeyView {
    id: CredentialId,
    /// `null`: of the keys at the address.
    #[schema(required)]
    algorithm: Option<&'static str>,
    #[schema(required)]
    kid: Option<String>,
    created_at: Time,
    created_by: String,
    #[schema(required)]
    retired_at: Option<Time>,
    /// Of an address.
    #[serde(flatten)]
    #[schema(value_type = SourceView)]
    source: Option<SourceView>,
    /// One that was made, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    secret: Option<String>,
}

/// The address of a key set, and what was found there
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JwksSource)]
struct SourceView {
    #[schema(required = false)]
    jwks_url: Option<String>,
    #[schema(required = false)]
    key_set: Option<KeySetView>,
}

/// A key set as it was found
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeySet)]
struct KeySetView {
    #[schema(required)]
    fetched_at: Option<Time>,
    keys: Vec<SetKeyView>,
    passed_over: Vec<PassedOverView>,
    /// What went wrong the last time.
    #[schema(required)]
    error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeySetKey)]
struct SetKeyView {
    algorithm: &'static str,
    #[schema(required)]
    kid: Option<String>,
}

/// Accept user JWTs of a key
///
/// A shared secret, a public key, a pasted key set, or the address of one.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/jwt-keys",
    tag = openapi::KEYS,
    operation_id = "createJwtKey",
    request_body(content = CreateBody, example = json!({ "algorithm": "HS256" })),
    responses((status = 201, description = "The keys", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
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
    let mut passed_over = Vec::new();
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
        } => {
            let keys;
            (keys, passed_over) = pasted(set.get())?;
            keys
        }
        CreateBody {
            algorithm: None,
            kid: None,
            secret: None,
            public_key: None,
            jwks: None,
            jwks_url: Some(url),
        } => {
            let key;
            (key, passed_over) = addressed(&app, &url).await?;
            vec![key]
        }
        _ => {
            let rule = "give algorithm with secret or public_key, or jwks alone, or jwks_url alone";
            return Err(Problem::invalid("algorithm", rule));
        }
    };
    let made = add(&app, project, keys, by).await?;
    let mut keys: Vec<_> = made.iter().map(|key| view(&app, key)).collect();
    if let Some(key) = keys.first_mut() {
        key.secret = made_secret;
    }
    let passed_over = passed_over.into_iter().map(PassedOverView::from).collect();
    Ok((StatusCode::CREATED, Json(CreatedView { keys, passed_over })).into_response())
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

fn pasted(set: &str) -> Result<(Vec<NewCredential>, Vec<PassedOver>), Problem> {
    let found = document::parse(set.as_bytes())
        .map_err(|error| Problem::invalid("jwks", error.to_string()))?;
    some_key("jwks", &found)?;
    let keys = found
        .keys
        .into_iter()
        .map(|key| credential(key.algorithm.kind(), key.kid, Secret::new(key.value)))
        .collect();
    Ok((keys, found.passed_over))
}

/// Asked at once: an address that gives no keys now is a mistake in it more often than an outage.
async fn addressed(app: &App, url: &str) -> Result<(NewCredential, Vec<PassedOver>), Problem> {
    let invalid = |rule: String| Problem::invalid("jwks_url", rule);
    let address =
        Address::parse(url, app.auth.reach()).map_err(|error| invalid(error.to_string()))?;
    let (body, found) = jwks::try_out(&address, app.auth.reach())
        .await
        .map_err(|error| invalid(error.to_string()))?;
    some_key("jwks_url", &found)?;
    let key = NewCredential {
        key_set: Some(body),
        ..credential(CredentialKind::JwksUrl, None, Secret::new(url))
    };
    Ok((key, found.passed_over))
}

fn some_key(field: &str, found: &Document) -> Result<(), Problem> {
    if !found.keys.is_empty() {
        return Ok(());
    }
    let mut rule = "has no key for RS256, ES256 or EdDSA signatures".to_owned();
    for passed in &found.passed_over {
        let _ = write!(rule, "; key {}: {}", passed.at, passed.why);
    }
    Err(Problem::invalid(field, rule))
}

impl From<PassedOver> for PassedOverView {
    fn from(passed: PassedOver) -> Self {
        Self {
            index: passed.at,
            kid: passed.kid,
            reason: passed.why,
        }
    }
}

/// List keys of user JWTs
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/jwt-keys",
    tag = openapi::KEYS,
    operation_id = "listJwtKeys",
    responses((status = 200, description = "All of them, without secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let keys = app
        .store
        .credentials(project, KeyFamily::Jwt)
        .await?
        .iter()
        .map(|key| view(&app, key))
        .collect();
    Ok(Json(ListView { keys }))
}

/// Retire a key of user JWTs
///
/// When the answer comes its tokens are refused already.
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/jwt-keys/{id}",
    tag = openapi::KEYS,
    operation_id = "retireJwtKey",
    responses(Empty)
)]
pub async fn retire(
    State(app): State<App>,
    At((project, id)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    end(&app, &project, &id, &headers, KeyFamily::Jwt).await
}

fn view(app: &App, key: &Credential) -> KeyView {
    KeyView {
        id: key.id,
        algorithm: Algorithm::of(key.kind).map(Algorithm::name),
        kid: key.kid.clone(),
        created_at: Time(key.created_at),
        created_by: key.created_by.clone(),
        retired_at: key.ended_at.map(Time),
        source: (key.kind == CredentialKind::JwksUrl).then(|| source(app, key.id)),
        secret: None,
    }
}

fn source(app: &App, id: CredentialId) -> SourceView {
    let registry = app.auth.registry();
    let source = registry.jwks(id);
    SourceView {
        jwks_url: source.map(|source| source.address.as_str().to_owned()),
        key_set: source.map(|source| key_set(source.report())),
    }
}

fn key_set(report: jwks::Report) -> KeySetView {
    KeySetView {
        fetched_at: report.fetched_at.map(Time),
        keys: report
            .keys
            .into_iter()
            .map(|(algorithm, kid)| SetKeyView { algorithm, kid })
            .collect(),
        passed_over: report
            .passed_over
            .into_iter()
            .map(PassedOverView::from)
            .collect(),
        error: report.error.map(|error| error.to_string()),
    }
}

/// What users' JWTs must say
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JwtRules)]
pub struct RulesBody {
    /// The claim that holds the user's id, by its whole name: a text, or a whole number.
    #[serde(default = "sub")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        example = "sub"
    )]
    user_claim: String,
    /// One of these must be in `aud`; none: it is not looked at.
    #[serde(default)]
    #[schema(max_items = 16)]
    audience: Vec<String>,
    /// One of these must be `iss`; none: it is not looked at.
    #[serde(default)]
    #[schema(max_items = 16)]
    issuer: Vec<String>,
}

fn sub() -> String {
    TokenRules::default().user_claim
}

/// Read the rules for user JWTs
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/jwt-rules",
    tag = openapi::KEYS,
    operation_id = "readJwtRules",
    responses((status = 200, description = "The rules", body = RulesBody))
)]
pub async fn read_rules(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<RulesBody>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    let registry = app.auth.registry();
    let keys = registry.project(project).ok_or_else(Problem::not_found)?;
    Ok(Json(shown(&keys.rules)))
}

/// Replace the rules for user JWTs
#[utoipa::path(
    put,
    path = "/v1/projects/{project}/jwt-rules",
    tag = openapi::KEYS,
    operation_id = "putJwtRules",
    request_body(content = RulesBody, example = json!({ "user_claim": "sub", "audience": ["shop"] })),
    responses((status = 200, description = "The rules as they are now", body = RulesBody))
)]
pub async fn put_rules(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RulesBody>, Problem> {
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
    let answer = shown(&rules);
    let outcome = submit(&app, CredentialChange::SetTokenRules { project, rules }).await?;
    app.auth.reload(project).await?;
    match outcome {
        Outcome::Credentials(CredentialOutcome::Done) => Ok(Json(answer)),
        other => Err(refusal(&other)),
    }
}

fn shown(rules: &TokenRules) -> RulesBody {
    RulesBody {
        user_claim: rules.user_claim.clone(),
        audience: rules.audiences.clone(),
        issuer: rules.issuers.clone(),
    }
}
