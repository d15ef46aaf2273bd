//! The OpenAPI document of the whole HTTP surface, made from the handlers themselves.
//!
//! A handler says what is its own, beside its code. What follows from the kind of an operation (who
//! calls it, whether it has a body, which headers it reads) is added here once. A route cannot be
//! without: it is registered from what its handler says.

mod params;
mod responses;
mod security;
mod webhooks;

pub use params::{
    BuyerHeaders, IdempotencyKey, IfMatch, IfNoneMatch, LastEventId, UserAddress, Wait,
};
pub use responses::{Conflict, Empty, Invalid};
pub use security::{
    BUYER, HOLDER, HOLDER_OF_TOKEN, LINK, OPERATOR, ORDER_READER, PROVIDER, SHOP, SHOP_BASIC, USER,
    by,
};

use utoipa::openapi::{
    Components, Info, License, OpenApi, OpenApiBuilder, PathItem, tag::TagBuilder,
};

pub const PROJECTS: &str = "Projects";
pub const ORDERS: &str = "Orders";
pub const CHANGES: &str = "Changes of orders";
pub const TOKENS: &str = "Tokens and links";
pub const CATALOGUE: &str = "Catalogue";
pub const BALANCES: &str = "Balances";
pub const KEYS: &str = "Keys";
pub const EVENTS: &str = "Events";
pub const WEBHOOKS: &str = "Webhooks";
pub const BUYING: &str = "Shop SDKs: orders";
pub const CARTS: &str = "Shop SDKs: carts";
pub const BACKENDS: &str = "Shop SDKs: backends";
pub const OPERATION: &str = "Operation";

const TAGS: [(&str, &str); 13] = [
    (PROJECTS, "A shop's project with its keys"),
    (ORDERS, "What the shop's backend makes and reads"),
    (
        CHANGES,
        "What the shop's backend asks of one order; recorded, with who and why",
    ),
    (
        TOKENS,
        "Credentials for one order, for its buyer or for whoever shall see it",
    ),
    (CATALOGUE, "What is for sale"),
    (BALANCES, "What users have of the shop's virtual currencies"),
    (KEYS, "API keys, and whose user JWTs are accepted"),
    (
        EVENTS,
        "What happened: to orders, and from payment providers",
    ),
    (
        WEBHOOKS,
        "Where events are sent to, and what became of them",
    ),
    (BUYING, "What shop SDKs call to buy and to poll"),
    (CARTS, "What shop SDKs call to fill a cart"),
    (BACKENDS, "What shops' backends in the field call"),
    (OPERATION, "For whoever runs the server"),
];

const DESCRIPTION: &str = "Order status tracking. `/v1` is for shops' backends; `/api` is what shop \
SDKs in the field call. Errors of `/v1` are `application/problem+json` with a stable `code`; those of \
`/api` have `statusCode`, `errorCode` and `errorMessage`. Statuses in realtime come over the \
Centrifuge protocol, which is described in docs/api.md.";

/// The document without operations.
pub fn frame() -> OpenApi {
    let mut info = Info::new("Ordercast", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".to_owned());
    info.license = Some(license);
    let tags = TAGS.map(|(name, description)| {
        TagBuilder::new()
            .name(name)
            .description(Some(description))
            .build()
    });
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

/// Adds to every operation what follows from its kind.
pub fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            params::complete(path, operation);
            responses::complete(path, operation);
        }
    }
    let components = document.components.get_or_insert(Components::new());
    params::define(components);
    responses::define(components);
    security::define(components);
    webhooks::define(document);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}
