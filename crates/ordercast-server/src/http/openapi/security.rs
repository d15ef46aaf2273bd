//! Who may call what, and how they show it.

use super::{super::App, operations};
use utoipa::openapi::{
    Components,
    security::{
        ApiKey, ApiKeyValue, Http, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};
use utoipa_axum::router::OpenApiRouter;

const ROOT_KEY: &str = "RootKey";
const API_KEY: &str = "ApiKey";
const API_KEY_BASIC: &str = "ApiKeyBasic";
const USER_JWT: &str = "UserJwt";
const PAYMENT_TOKEN: &str = "PaymentToken";
const LINK_TOKEN: &str = "Link";
const GUEST: &str = "Guest";
const SIGNATURE: &str = "ProviderSignature";

/// Any one of each list opens the operation.
pub const OPERATOR: &[&str] = &[ROOT_KEY];
pub const SHOP: &[&str] = &[API_KEY, API_KEY_BASIC, ROOT_KEY];
pub const SHOP_BASIC: &[&str] = &[API_KEY_BASIC, API_KEY, ROOT_KEY];
/// The shop's backend, or the buyer of the order.
pub const ORDER_READER: &[&str] = &[API_KEY, API_KEY_BASIC, ROOT_KEY, USER_JWT, PAYMENT_TOKEN];
pub const BUYER: &[&str] = &[USER_JWT, GUEST];
pub const USER: &[&str] = &[USER_JWT];
/// Whoever may see a buyer's order.
pub const HOLDER: &[&str] = &[USER_JWT, PAYMENT_TOKEN, GUEST];
/// A user, or whoever holds a payment token.
pub const HOLDER_OF_TOKEN: &[&str] = &[USER_JWT, PAYMENT_TOKEN];
pub const LINK: &[&str] = &[LINK_TOKEN];
pub const PROVIDER: &[&str] = &[SIGNATURE];

/// These operations are for callers who have one of `schemes`.
pub fn by(schemes: &[&str], mut routes: OpenApiRouter<App>) -> OpenApiRouter<App> {
    let requirements: Vec<_> = schemes
        .iter()
        .map(|scheme| SecurityRequirement::new(*scheme, [] as [&str; 0]))
        .collect();
    for item in routes.get_openapi_mut().paths.paths.values_mut() {
        for operation in operations(item) {
            operation.security = Some(requirements.clone());
        }
    }
    routes
}

pub fn define(components: &mut Components) {
    let bearer = |format: Option<&str>, description: &str| {
        let mut http: Http = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(description))
            .build();
        http.bearer_format = format.map(ToOwned::to_owned);
        SecurityScheme::Http(http)
    };
    let header = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            name,
            description,
        )))
    };
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some(
            "The API key as the password; the user name is not read",
        ))
        .build();
    let schemes = [
        (
            ROOT_KEY,
            bearer(
                None,
                "The operator's key: opens everything that an API key opens, of every project",
            ),
        ),
        (
            API_KEY,
            bearer(
                None,
                "The key of a shop's backend, with its scopes; the root key does too",
            ),
        ),
        (API_KEY_BASIC, SecurityScheme::Http(basic)),
        (
            USER_JWT,
            bearer(
                Some("JWT"),
                "A token of a user, signed with a key that the project accepts",
            ),
        ),
        (
            PAYMENT_TOKEN,
            bearer(
                None,
                "Shows one order to whoever paid it; comes with the order",
            ),
        ),
        (
            LINK_TOKEN,
            bearer(None, "Shows one order to whoever was given the link"),
        ),
        (
            GUEST,
            header(
                "x-unauthorized-id",
                "A buyer without an account: a random id of 1 to 128 visible characters, made by the client",
            ),
        ),
        (
            SIGNATURE,
            header(
                "Authorization",
                "`Signature <hex>`: SHA-1 of the body followed by the source's secret, in lower case",
            ),
        ),
    ];
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
}
