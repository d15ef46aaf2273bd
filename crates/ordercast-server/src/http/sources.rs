//! `/v1/projects/{project}/sources`: whose webhooks are taken.
//!
//! Invariant: secrets and keys are shown in no answer but the one that made them.

use super::{
    App, api_keys, body, caller,
    openapi::{self, Conflict, Empty, Invalid},
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::{clock, outbound::guard::TargetUrl};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
    ids::SourceId,
    order::PriceRule,
    provider::{self, Meaning, Provider, SecretOrigin, SourceSettings, StandardFields},
};
use ordercast_store::{Change, Outcome, Source, SourceChange, SourceOutcome, Submission};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};
use utoipa::ToSchema;
use zeroize::Zeroizing;

const KEY_BYTES: std::ops::RangeInclusive<usize> = 8..=500;
const OVERLAP_SECONDS_DEFAULT: u32 = 24 * 3600;
const OVERLAP_SECONDS_MAX: u32 = 30 * 24 * 3600;

/// A source to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSource)]
struct CreateBody {
    provider: Provider,
    /// What the provider signs with, as it shows it: 8 to 500 visible characters. Without it one is
    /// made, to be entered at the provider, where it takes one: `reference`, `lemon_squeezy`, `razorpay`
    /// and `standard`; the others make theirs and must be given it. Not for `mollie` and `paypal`.
    #[schema(min_length = 8, max_length = 500)]
    secret: Option<String>,
    /// Of the provider's own API: for `mollie`, for thin events of `stripe`, and to ask about orders that
    /// stay open. A pair with a colon between for `paypal` (client id and secret), `razorpay` (key id and
    /// key secret) and `reference` (merchant's id and key).
    #[schema(max_length = 500)]
    api_key: Option<String>,
    #[serde(flatten)]
    settings: SettingsBody,
}

/// What of a source is to change; what is not named stays
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceChange)]
struct ChangeBody {
    /// An empty one takes it away.
    #[schema(max_length = 500)]
    api_key: Option<String>,
    #[serde(flatten)]
    settings: SettingsBody,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = SourceSettings)]
struct SettingsBody {
    /// What words mean, before the provider's own table is asked: at most 200.
    #[schema(example = json!({ "AUTHORISATION:true": "authorized" }))]
    mapping: Option<BTreeMap<String, Meaning>>,
    /// `paypal`: the id that it gave the webhook.
    webhook_id: Option<String>,
    /// `standard`: where things stand in its bodies.
    fields: Option<StandardFields>,
    /// Whence its requests come, addresses or networks: at most 100, and others are refused as unsigned
    /// ones are. An empty list: from anywhere.
    #[schema(example = json!(["18.209.80.3", "185.30.20.0/24"]))]
    addresses: Option<Vec<String>>,
    /// When its payments count as the price: `exact` (the default), `at_least` so many percent of it,
    /// or `provider_total`, what the provider's own checkout asked for.
    price_rule: Option<PriceRule>,
    /// Where the provider's API is; without it, where it says.
    #[schema(max_length = 500, example = "https://api.sandbox.provider.example")]
    api_url: Option<String>,
}

/// Whose webhooks are taken, without secrets
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    source: SourceId,
    provider: Provider,
    /// Where the provider sends to.
    #[schema(example = "/v1/inbox/src_2f1c")]
    path: String,
    /// Whether requests prove by themselves whose they are.
    signed: bool,
    /// Whether open orders are asked about.
    swept: bool,
    mapping: BTreeMap<String, Meaning>,
    #[schema(required)]
    webhook_id: Option<String>,
    #[schema(required)]
    fields: Option<StandardFields>,
    #[schema(value_type = Vec<String>)]
    addresses: Vec<IpNet>,
    price_rule: PriceRule,
    /// Whence the provider says that they come.
    provider_addresses: &'static [&'static str],
    #[schema(required)]
    api_url: Option<String>,
    /// Until when the secret before is accepted too.
    #[schema(required)]
    secret_before_until: Option<Time>,
    created_at: Time,
}

/// A source with its secret, which is shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedSource)]
struct CreatedView {
    #[serde(flatten)]
    shown: SourceView,
    /// Empty where the provider does not sign with one.
    secret: String,
}

/// A project's sources
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sources)]
pub struct ListView {
    sources: Vec<SourceView>,
}

fn view(source: &Source) -> SourceView {
    let now = clock::now();
    let settings = &source.settings;
    let until = source.before.as_ref().map(|(_, until)| *until);
    SourceView {
        path: format!("/v1/inbox/{}", source.id),
        source: source.id.clone(),
        provider: source.provider,
        signed: source.provider.is_signed(),
        swept: source.api_key.is_some() && source.provider.api().is_some(),
        mapping: settings.mapping.clone(),
        webhook_id: settings.webhook_id.clone(),
        fields: settings.fields.clone(),
        addresses: settings.addresses.clone(),
        price_rule: settings.price_rule,
        provider_addresses: source.provider.addresses(),
        api_url: settings.api_url.clone(),
        secret_before_until: until.filter(|until| *until > now).map(Time),
        created_at: Time(source.created_at),
    }
}

/// List the sources
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/sources",
    tag = openapi::EVENTS,
    operation_id = "listSources",
    responses((status = 200, description = "All of them, without secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let registry = app.auth.registry();
    let mut found: Vec<_> = registry
        .sources()
        .filter(|source| source.project == project)
        .collect();
    found.sort_by_key(|source| (source.created_at, source.id.clone()));
    Ok(Json(ListView {
        sources: found.into_iter().map(view).collect(),
    }))
}

/// Create a source
///
/// For one account at one provider. A secret that was made is in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/sources",
    tag = openapi::EVENTS,
    operation_id = "createSource",
    request_body(content = CreateBody, example = json!({ "provider": "stripe", "secret": "whsec_…" })),
    responses((status = 201, description = "The source", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let provider = new.provider;
    let settings = settings(&app, provider, SourceSettings::default(), new.settings)?;
    let secret = match (provider, new.secret) {
        (provider, Some(secret)) => usable(provider, secret)?,
        (_, None) => made_for(provider)?,
    };
    let api_key = new.api_key.map(|key| api_key(provider, key)).transpose()?;
    if provider == Provider::Mollie && api_key.is_none() {
        let rule = "must be given: this provider does not sign, its payments are asked for";
        return Err(Problem::invalid("api_key", rule));
    }
    let id = SourceId::new(&clock::secret("src_")[..20])
        .map_err(|error| Problem::invalid("source", error.to_string()))?;
    let source = Source {
        id,
        project,
        provider,
        settings,
        secret: Zeroizing::new(secret.clone()),
        before: None,
        api_key: api_key.map(Zeroizing::new),
        created_at: clock::now(),
    };
    submit(&app, SourceChange::Create(Box::new(source.clone()))).await?;
    let answer = CreatedView {
        shown: view(&source),
        secret: provider.shown_secret(&secret),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Read a source
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/sources/{source}",
    tag = openapi::EVENTS,
    operation_id = "readSource",
    responses((status = 200, description = "The source, without secrets", body = SourceView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, source)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<SourceView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    Ok(Json(view(&find(&app, project, &source)?)))
}

/// Change a source
#[utoipa::path(
    patch,
    path = "/v1/projects/{project}/sources/{source}",
    tag = openapi::EVENTS,
    operation_id = "changeSource",
    request_body(content = ChangeBody, example = json!({ "mapping": { "AUTHORISATION:true": "authorized" } })),
    responses((status = 200, description = "The source as it is now", body = SourceView), Invalid)
)]
pub async fn change(
    State(app): State<App>,
    At((project, source)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SourceView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &source)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: ChangeBody = body::json(&headers, &raw)?;
    let settings = settings(&app, found.provider, found.settings, wanted.settings)?;
    let api_key = match wanted.api_key {
        Some(key) if key.is_empty() && found.provider == Provider::Mollie => {
            let rule = "is needed: this provider does not sign, its payments are asked for";
            return Err(Problem::invalid("api_key", rule));
        }
        Some(key) if key.is_empty() => Some(key),
        Some(key) => Some(api_key(found.provider, key)?),
        None => None,
    };
    let change = SourceChange::Change {
        project,
        source: found.id.clone(),
        settings: Some(Box::new(settings)),
        api_key: api_key.map(Zeroizing::new),
    };
    submit(&app, change).await?;
    Ok(Json(view(&find(&app, project, &source)?)))
}

/// Delete a source
///
/// Its requests are refused as those of a source that never was.
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/sources/{source}",
    tag = openapi::EVENTS,
    operation_id = "deleteSource",
    responses(Empty)
)]
pub async fn delete(
    State(app): State<App>,
    At((project, source)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let source = find(&app, project, &source)?.id;
    submit(&app, SourceChange::End { project, source }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to rotate
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSourceSecret)]
struct RotateBody {
    /// For how long the secret until now is accepted too, seconds; without it 86400.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
    /// As the provider shows it. Without it one is made.
    #[schema(min_length = 8, max_length = 500)]
    secret: Option<String>,
}

/// Rotate the secret
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/sources/{source}/secrets",
    tag = openapi::EVENTS,
    operation_id = "rotateSourceSecret",
    request_body(content = RotateBody, example = json!({ "overlap_seconds": 86_400 })),
    responses((status = 201, description = "The new secret", body = CreatedView), Conflict)
)]
pub async fn rotate(
    State(app): State<App>,
    At((project, source)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &source)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: RotateBody = body::json(&headers, &raw)?;
    let overlap = wanted.overlap_seconds.unwrap_or(OVERLAP_SECONDS_DEFAULT);
    if overlap > OVERLAP_SECONDS_MAX {
        return Err(Problem::invalid("overlap_seconds", "must be 0 to 2592000"));
    }
    if found.secret.is_empty() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no_secret",
            "this provider does not sign with a secret",
        ));
    }
    let secret = match wanted.secret {
        Some(secret) => usable(found.provider, secret)?,
        None => made_for(found.provider)?,
    };
    let change = SourceChange::Rotate {
        project,
        source: found.id,
        secret: Zeroizing::new(secret.clone()),
        overlap: Duration::from_secs(overlap.into()),
    };
    submit(&app, change).await?;
    let shown = view(&find(&app, project, &source)?);
    let secret = shown.provider.shown_secret(&secret);
    Ok((StatusCode::CREATED, Json(CreatedView { shown, secret })).into_response())
}

fn permitted(app: &App, project: &str, headers: &HeaderMap) -> Result<ProjectId, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    // Who has a source's secret can mark orders as paid.
    caller::server(&app.auth, headers, Action::ManageKeys, object)?;
    api_keys::require(app, project)?;
    Ok(project)
}

fn find(app: &App, project: ProjectId, id: &str) -> Result<Source, Problem> {
    let id: SourceId = path_id(id)?;
    let registry = app.auth.registry();
    let found = registry.source(&id);
    found
        .filter(|source| source.project == project)
        .cloned()
        .ok_or_else(Problem::not_found)
}

async fn submit(app: &App, change: SourceChange) -> Result<(), Problem> {
    let project = change.project();
    let submission = Submission {
        change: Change::Sources(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::Sources(SourceOutcome::Done) => {
            app.auth.reload(project).await?;
            Ok(())
        }
        Outcome::NotFound => Err(Problem::not_found()),
        Outcome::Sources(SourceOutcome::TooMany { limit }) => Err(Problem::new(
            StatusCode::CONFLICT,
            "limit_reached",
            format!("there may be {limit} of these at once; delete one first"),
        )
        .with("limit", limit)),
        _ => Err(Problem::unavailable()),
    }
}

fn settings(
    app: &App,
    provider: Provider,
    before: SourceSettings,
    wanted: SettingsBody,
) -> Result<SourceSettings, Problem> {
    let addresses = match wanted.addresses {
        Some(texts) => texts
            .iter()
            .map(|text| network(text))
            .collect::<Result<_, _>>()?,
        None => before.addresses,
    };
    let settings = SourceSettings {
        addresses,
        mapping: wanted.mapping.unwrap_or(before.mapping),
        webhook_id: wanted.webhook_id.or(before.webhook_id),
        fields: wanted.fields.or(before.fields),
        price_rule: wanted.price_rule.unwrap_or(before.price_rule),
        api_url: wanted.api_url.or(before.api_url),
    };
    if let Some(url) = &settings.api_url {
        TargetUrl::parse(url, &app.sending.policy)
            .map_err(|rule| Problem::invalid("api_url", rule.to_string()))?;
    }
    settings.check(provider).map_err(|rule| {
        let rule = rule.to_string();
        let (field, rule) = rule.split_once(": ").unwrap_or(("settings", &rule));
        Problem::invalid(field, rule)
    })?;
    Ok(settings)
}

fn network(text: &str) -> Result<IpNet, Problem> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| {
        let rule = "must be addresses or networks, such as 18.209.80.3 or 185.30.20.0/24";
        Problem::invalid("addresses", rule)
    })
}

/// A secret with which nothing could ever be verified is refused at once.
fn usable(provider: Provider, secret: String) -> Result<String, Problem> {
    match provider.check_secret(&secret) {
        Ok(()) => Ok(secret),
        Err(rule) => Err(Problem::invalid("secret", rule.to_string())),
    }
}

/// Some providers ask with a pair, of which the first may stand in their addresses.
fn api_key(provider: Provider, key: String) -> Result<String, Problem> {
    let pair = provider.api().and_then(|api| api.authorization.pair());
    if let Some(pair) = pair {
        let is_pair = key.split_once(':').is_some_and(|(account, rest)| {
            provider::segment(account, "").is_some() && !rest.is_empty()
        });
        if !is_pair {
            return Err(Problem::invalid("api_key", format!("must be {pair}")));
        }
    }
    if KEY_BYTES.contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(key)
    } else {
        let rule = "must be 8 to 500 visible characters";
        Err(Problem::invalid("api_key", rule))
    }
}

/// One that the provider thinks up cannot be made here.
fn made_for(provider: Provider) -> Result<String, Problem> {
    match provider.secret_origin() {
        SecretOrigin::Anybody => Ok(made(provider)),
        SecretOrigin::Nobody => Ok(String::new()),
        SecretOrigin::Provider => {
            let rule = "must be given: the provider makes it and shows it beside its webhook";
            Err(Problem::invalid("secret", rule))
        }
    }
}

/// Of the form that the provider's settings ask for.
fn made(provider: Provider) -> String {
    match provider {
        Provider::Standard => {
            crate::delivery::sign::SigningSecret::symmetric(&clock::random()).to_string()
        }
        _ => clock::secret("oc_inbox_"),
    }
}
