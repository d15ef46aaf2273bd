//! Answers that operations share, by name: an operation refers to those that it can give.

use super::super::{problem::Problem, store_api::ErrorBody};
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        Components, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        content::ContentBuilder,
        header::Header,
        path::{Operation, Parameter, ParameterIn},
        schema::{SchemaType, Type},
    },
};

const SHARED: [(&str, &str, &str); 12] = [
    (
        "400",
        "BadBody",
        "The body is not JSON, broke off, or is nested too deeply",
    ),
    (
        "401",
        "Unauthorized",
        "No valid credential came with the request",
    ),
    (
        "403",
        "Forbidden",
        "The credential may not do this; `required_scope` says which scope it lacks",
    ),
    (
        "404",
        "NotFound",
        "There is no such object, or it is not the caller's",
    ),
    ("408", "SlowBody", "The body did not come in time"),
    (
        "409",
        "Conflict",
        "The object's state does not allow it, `code` says why; or, with `Retry-After`, a request \
         with this Idempotency-Key is not decided yet",
    ),
    (
        "412",
        "PreconditionFailed",
        "The order is not at the version of If-Match",
    ),
    ("413", "TooLarge", "The body is too large"),
    (
        "415",
        "UnsupportedMediaType",
        "The body is not application/json",
    ),
    ("422", "Invalid", "A field breaks a rule; `field` names it"),
    (
        "429",
        "RateLimited",
        "Too many requests of this caller; nothing was done",
    ),
    (
        "503",
        "Unavailable",
        "Nothing was changed; try again in a moment",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surface {
    V1,
    Api,
}

impl Surface {
    fn of(path: &str) -> Self {
        if path.starts_with("/api/") || path.starts_with("/events") {
            Self::Api
        } else {
            Self::V1
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::V1 => "",
            Self::Api => "Api",
        }
    }

    fn reference(self, status: &str) -> Option<RefOr<Response>> {
        let (_, name, _) = SHARED.iter().find(|(shared, ..)| *shared == status)?;
        let name = format!("{}{name}", self.prefix());
        Some(Ref::from_response_name(name).into())
    }
}

const WEBHOOK: &str = "/v1/inbox/{source}";
const LINK: &str = "/v1/link";

pub fn complete(path: &str, operation: &mut Operation) {
    let surface = Surface::of(path);
    let statuses = match path {
        // Takes what a provider sends, whatever it is, and tells nobody which sources there are.
        WEBHOOK => vec!["400", "401", "408", "413", "503"],
        _ => of_kind(surface, path, operation),
    };
    let is_conditional = reads(operation, ParameterIn::Header, Some("If-None-Match"));
    let responses = &mut operation.responses.responses;
    if is_conditional {
        let known = ResponseBuilder::new()
            .description("The caller has this version")
            .header("ETag", etag())
            .build();
        responses.insert("304".to_owned(), known.into());
        if let Some(RefOr::T(success)) = responses.get_mut("200") {
            success.headers.insert("ETag".to_owned(), etag().into());
        }
    }
    for status in statuses {
        if let Some(shared) = surface.reference(status) {
            responses.entry(status.to_owned()).or_insert(shared);
        }
    }
}

fn of_kind(surface: Surface, path: &str, operation: &Operation) -> Vec<&'static str> {
    let mut statuses = vec!["503"];
    let is_secured = operation.security.is_some();
    if is_secured {
        statuses.push("401");
    }
    if is_secured && is_limited(surface, path) {
        statuses.push("429");
    }
    if reads(operation, ParameterIn::Header, Some("Idempotency-Key")) {
        statuses.push("409");
    }
    // Who may not read an order on /api is told that there is none, and a key that opens nothing
    // there that it is not valid.
    let hides = surface == Surface::Api && (path.contains("/admin/") || path.contains("/order/"));
    if is_secured && !hides && path != LINK {
        statuses.push("403");
    }
    if path.contains('{') || path == LINK {
        statuses.push("404");
    }
    if operation.request_body.is_some() {
        statuses.extend(["400", "408", "413", "415", "422"]);
    }
    if reads(operation, ParameterIn::Query, None)
        || reads(operation, ParameterIn::Header, Some("x-user"))
    {
        statuses.push("422");
    }
    if reads(operation, ParameterIn::Header, Some("If-Match")) {
        statuses.push("412");
    }
    statuses
}

/// Whether its callers may call only so often.
fn is_limited(surface: Surface, path: &str) -> bool {
    match surface {
        // The operator's key has no limit, and a link is nobody's.
        Surface::V1 => path != "/v1/projects" && path != LINK,
        Surface::Api => !path.contains("}/cart"),
    }
}

/// Whether it has a parameter there; any, or one of this name.
fn reads(operation: &Operation, at: ParameterIn, name: Option<&str>) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(Parameter {
            name: given,
            parameter_in,
            ..
        }) => *parameter_in == at && name.is_none_or(|name| name == given),
        RefOr::Ref(_) => false,
    })
}

fn etag() -> Header {
    header("The order's version in quotes")
}

fn header(description: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    HeaderBuilder::new()
        .schema(Some(text))
        .description(Some(description))
        .build()
}

pub fn define(components: &mut Components) {
    for (status, name, description) in SHARED {
        for (surface, media_type, schema) in [
            (Surface::V1, "application/problem+json", Problem::name()),
            (Surface::Api, "application/json", ErrorBody::name()),
        ] {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(schema)))
                .build();
            let mut response = ResponseBuilder::new()
                .description(description)
                .content(media_type, content);
            response = match status {
                "401" => response.header("WWW-Authenticate", header("How to come in")),
                "409" | "429" | "503" => response.header("Retry-After", header("Seconds")),
                _ => response,
            };
            let name = format!("{}{name}", surface.prefix());
            components.responses.insert(name, response.build().into());
        }
    }
    for (name, schema) in [
        (Problem::name(), Problem::schema()),
        (ErrorBody::name(), ErrorBody::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
}

macro_rules! of_v1 {
    ($($(#[$doc:meta])* $name:ident: $status:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let shared = Surface::V1.reference($status);
                shared.map(|shared| ($status.to_owned(), shared)).into_iter().collect()
            }
        }
    )*};
}

of_v1! {
    /// For operations of `/v1` that another state of the object would allow.
    Conflict: "409";
    /// For operations of `/v1` that check more than a body or a query.
    Invalid: "422";
}

/// 204: it is done, and there is nothing to say.
#[derive(Debug)]
pub struct Empty;

impl IntoResponses for Empty {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let done = ResponseBuilder::new().description("Done").build();
        [("204".to_owned(), done.into())].into()
    }
}
