//! Parameters that operations share: those of paths by their names, and headers.

use ordercast_core::{
    OrderId, ProjectId, Sku, UserId,
    ids::{CartId, CredentialId, EndpointId, SourceId, TokenId},
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Components, Object, ObjectBuilder, Ref, RefOr, Required, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{SchemaType, Type},
    },
};

/// The names that paths use; an operation has those of its path.
fn of_paths() -> [(&'static str, RefOr<Schema>, &'static str); 14] {
    let from_zero = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(0))
        .maximum(Some(i32::MAX))
        .build();
    [
        ("project", reference::<ProjectId>(), "The project"),
        ("order", reference::<OrderId>(), "The order's number"),
        ("sku", reference::<Sku>(), "An item of the catalogue"),
        (
            "user",
            reference::<UserId>(),
            "The shop's own id of the user",
        ),
        (
            "currency",
            reference::<Sku>(),
            "A virtual currency of the catalogue",
        ),
        ("cart", reference::<CartId>(), "One of the buyer's carts"),
        ("id", reference::<CredentialId>(), "The key"),
        (
            "token",
            from_zero.into(),
            "The payment token; 0 is the one that the order was made with",
        ),
        ("link", reference::<TokenId>(), "The link"),
        ("endpoint", reference::<EndpointId>(), "The endpoint"),
        ("delivery", row_id(), "The delivery"),
        ("event", row_id(), "The event"),
        ("entry", row_id(), "The webhook"),
        (
            "source",
            reference::<SourceId>(),
            "The source, as the project's answer named it",
        ),
    ]
}

fn row_id() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(1))
        .maximum(Some(9_007_199_254_740_991_i64))
        .build()
        .into()
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

pub fn complete(path: &str, operation: &mut Operation) {
    let names = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let given = operation.parameters.take().unwrap_or_default();
    let of_path = names.map(|name| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
    operation.parameters = Some(of_path.chain(given).collect());
}

pub fn define(components: &mut Components) {
    for (name, schema, description) in of_paths() {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(schema))
            .build();
        components
            .parameters
            .insert(name.to_owned(), parameter.into());
    }
    let schemas = [
        (ProjectId::name(), ProjectId::schema()),
        (OrderId::name(), OrderId::schema()),
        (Sku::name(), Sku::schema()),
        (UserId::name(), UserId::schema()),
        (CartId::name(), CartId::schema()),
        (CredentialId::name(), CredentialId::schema()),
        (TokenId::name(), TokenId::schema()),
        (SourceId::name(), SourceId::schema()),
        (EndpointId::name(), EndpointId::schema()),
    ];
    for (name, schema) in schemas {
        components.schemas.insert(name.into_owned(), schema);
    }
}

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident: [$(($at:ident, $header:literal, $schema:expr, $description:expr)),* $(,)?];)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$(ParameterBuilder::new()
                    .name($header)
                    .parameter_in(ParameterIn::$at)
                    .required(Required::False)
                    .description(Some($description))
                    .schema(Some($schema))
                    .build()),*]
            }
        }
    )*};
}

parameters! {
    IdempotencyKey: [(
        Header,
        "Idempotency-Key",
        text(1, 255, "^[!-~]+$"),
        "Makes a repetition safe for 24 hours: the same key and body get the same answer and have one effect"
    )];
    IfMatch: [(
        Header,
        "If-Match",
        text(3, 12, "^\"[1-9][0-9]{0,8}\"$"),
        "The ETag of the order that the caller has seen; another version answers 412"
    )];
    IfNoneMatch: [(
        Header,
        "If-None-Match",
        ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).build(),
        "The ETag that the caller has; the same version answers 304"
    )];
    LastEventId: [(
        Header,
        "Last-Event-ID",
        text(1, 10, "^(0|[1-9][0-9]{0,8})$"),
        "The version that was seen last; the stream goes on behind it"
    )];
    /// What may be told of a buyer without an account.
    BuyerHeaders: [(
        Header,
        "x-user",
        text(0, 2048, "^[A-Za-z0-9+/]*={0,2}$"),
        "Of a guest: Base64 of an email address, or of JSON with `email` and `country`"
    )];
    UserAddress: [(
        Header,
        "X-User-Ip",
        text(0, 45, "^[0-9A-Fa-f.:]*$"),
        "The buyer's address; needed where the body names no country"
    )];
    Wait: [(
        Query,
        "wait",
        whole(0, 30),
        "Seconds to hold the answer until the status changes"
    )];
}

fn text(min: usize, max: usize, pattern: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length(Some(min))
        .max_length(Some(max))
        .pattern(Some(pattern))
        .build()
}

fn whole(min: u32, max: u32) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(min))
        .maximum(Some(max))
        .build()
}
