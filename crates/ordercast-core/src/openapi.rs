//! How the checked types look on the wire: their rules as JSON Schema, beside the types that keep
//! them. Enums and records derive theirs.

use crate::{
    ids::{
        AttemptId, CartId, CredentialId, DisputeId, EndpointId, INT_MAX, OrderId, ProjectId,
        RefundId, Sku, SourceId, TokenId, UserId, Version,
    },
    money::Currency,
    order::{
        Country, CustomParameters, Email, ExternalId, ReturnUrl, ShortText, Ui,
        checkout::{CUSTOM_PARAMETERS, EXTERNAL_ID_CHARS_MAX, RETURN_URL_CHARS_MAX},
    },
    virtual_currency::{VIRTUAL_AMOUNT_MAX, VirtualAmount},
};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{AdditionalProperties, SchemaType, Type},
    },
};

/// Characters of ids that stand in paths.
const SLUG: &str = "^[A-Za-z0-9_.:-]+$";
/// No control characters. Lengths count bytes, which is as many characters or fewer.
const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

macro_rules! schema {
    ($name:ident, $description:expr, $example:tt, $build:expr) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let build: fn(ObjectBuilder) -> ObjectBuilder = $build;
                let object = ObjectBuilder::new()
                    .description(Some($description))
                    .examples([serde_json::json!($example)]);
                build(object).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

macro_rules! integers {
    ($($name:ident: $description:literal, $example:literal;)*) => {$(
        schema!($name, $description, $example, |object| object
            .schema_type(SchemaType::new(Type::Integer))
            .minimum(Some(1))
            .maximum(Some(INT_MAX)));
    )*};
}

macro_rules! texts {
    ($($name:ident: $min:expr, $max:expr, $pattern:expr, $description:literal, $example:literal;)*) => {$(
        schema!($name, $description, $example, |object| object
            .schema_type(SchemaType::new(Type::String))
            .min_length(Some($min))
            .max_length(Some($max))
            .pattern(Some($pattern)));
    )*};
}

integers! {
    ProjectId: "A shop's project", 7;
    OrderId: "The public number of an order, unique within its project", 689_810_880;
    CredentialId: "An API key or a key of user JWTs", 3;
    EndpointId: "Where events are sent to", 1;
    TokenId: "A payment token or a link of an order", 5;
    Version: "Counts the changes of one order from 1 without gaps", 2;
}

texts! {
    UserId: 1, UserId::BYTES_MAX, TEXT,
        "The shop's own id of a buyer: 1 to 200 bytes without control characters", "user-1";
    Sku: 1, Sku::BYTES_MAX, SLUG, "A catalogue item, or a virtual currency", "sword";
    CartId: 1, CartId::BYTES_MAX, SLUG, "A buyer's cart", "current";
    SourceId: 1, SourceId::BYTES_MAX, SLUG, "A configured sender of provider webhooks", "src_2f1c";
    AttemptId: 1, AttemptId::BYTES_MAX, TEXT,
        "The provider's name of one payment: 1 to 100 bytes without control characters", "1001";
    RefundId: 1, RefundId::BYTES_MAX, TEXT,
        "One refund of a payment: 1 to 100 bytes without control characters", "rf_1";
    DisputeId: 1, DisputeId::BYTES_MAX, TEXT,
        "One dispute of a payment: 1 to 100 bytes without control characters", "dp_1";
    Currency: 3, 4, "^[A-Z]{3,4}$", "An ISO 4217 alphabetic code in use, or USDC", "USD";
    Country: 2, 2, "^[A-Z]{2}$", "ISO 3166-1 alpha-2", "DE";
    Email: 3, 255, r"^[^\s@\x00-\x1f\x7f-\x9f]+@[^\s\x00-\x1f\x7f-\x9f]+$",
        "An email address", "buyer@example.com";
    ExternalId: 1, EXTERNAL_ID_CHARS_MAX, TEXT, "The shop's own number of the order", "A-1042";
    ShortText: 1, 255, TEXT, "Without control characters", "Back to the game";
    ReturnUrl: 4, RETURN_URL_CHARS_MAX, r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f-\x9f]+$",
        "An http or https address, or one of an app; never of a scheme that runs what it carries",
        "https://shop.example/thanks";
}

schema!(
    VirtualAmount,
    "Units of a virtual currency",
    100,
    |object| object
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(0))
        .maximum(Some(VIRTUAL_AMOUNT_MAX))
);

schema!(
    CustomParameters,
    "The shop's own members, kept with the order",
    { "chosen_character": "knight" },
    |object| object
        .schema_type(SchemaType::new(Type::Object))
        .min_properties(Some(*CUSTOM_PARAMETERS.start()))
        .max_properties(Some(*CUSTOM_PARAMETERS.end()))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
);

schema!(
    Ui,
    "The payment page's looks, of a shape that only the page knows; at most 8 KiB",
    { "theme": "dark" },
    |object| object
        .schema_type(SchemaType::new(Type::Object))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
);
