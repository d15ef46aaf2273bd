//! What shops' backends are sent, as the document's `webhooks`: a type of payload for each type of event,
//! made from the one that bodies are written with.

use ordercast_core::delivery::{EVENT_TYPES, EventData, TEST};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, OpenApi, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
        Schema,
        path::{HttpMethod, OperationBuilder},
        request_body::RequestBodyBuilder,
        schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type},
    },
};

/// Members that only some types have.
const OF_SOME: [&str; 3] = ["refund", "dispute", "raised"];

/// What is told by it, and which of [`OF_SOME`] it has.
fn about(kind: &str) -> (&'static str, Option<&'static str>) {
    match kind {
        "order.created" => ("An order was made", None),
        "order.updated" => (
            "What stands behind the status changed; it stayed as it is",
            None,
        ),
        "order.new" => ("A canceled order waits for its payment again", None),
        "order.paid" => (
            "The order is paid, for the first time: grant what was bought",
            None,
        ),
        "order.done" => ("The order is paid and handed over", None),
        "order.canceled" => ("The order was canceled: take back what was granted", None),
        "order.expired" => (
            "It was not paid within its life; a late payment revives it",
            None,
        ),
        "order.reinstated" => (
            "It had been paid and taken back, and the money is there again: a refund was reversed, or a \
             dispute was won. Give back what was taken, and grant nothing twice",
            None,
        ),
        "order.refunded" => (
            "Money went back to the buyer, all of it or a part",
            Some("refund"),
        ),
        "order.refund_reversed" => ("A refund that was told of did not happen", Some("refund")),
        "order.disputed" => (
            "What a bank says of a payment that its holder disputes",
            Some("dispute"),
        ),
        "order.flagged" => (
            "Something about the order wants a person's eyes",
            Some("raised"),
        ),
        _ => ("A test of the endpoint, about no order", None),
    }
}

/// Adds them to the document.
pub fn define(document: &mut OpenApi) {
    let components = document.components.get_or_insert(Components::new());
    let mut inner = Vec::new();
    <EventData as ToSchema>::schemas(&mut inner);
    for (name, schema) in inner {
        components.schemas.entry(name).or_insert(schema);
    }
    let RefOr::T(Schema::Object(data)) = <EventData as PartialSchema>::schema() else {
        unreachable!("event data is an object with members");
    };
    let mut webhooks = Paths::new();
    for kind in EVENT_TYPES.into_iter().chain([TEST]) {
        let name = schema_name(kind);
        components
            .schemas
            .insert(name.clone(), RefOr::T(payload(kind, &data)));
        webhooks.paths.insert(kind.to_owned(), item(kind, &name));
    }
    document.webhooks = Some(webhooks);
}

/// `order.refund_reversed`: `OrderRefundReversedEvent`.
fn schema_name(kind: &str) -> String {
    let words = kind.split(['.', '_']).map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.chain(["Event".to_owned()]).collect()
}

fn payload(kind: &str, data: &Object) -> Schema {
    let (about, own) = about(kind);
    let mut data = data.clone();
    data.description = None;
    for member in OF_SOME {
        if own == Some(member) {
            data.required.push(member.to_owned());
        } else {
            data.properties.remove(member);
        }
    }
    let text = || ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .description(Some(about))
        .property("type", text().enum_values(Some([kind])))
        .property(
            "timestamp",
            text()
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
                .description(Some(
                    "When it happened; `webhook-timestamp` is of the attempt",
                )),
        )
        .property("data", Schema::Object(data))
        .required("type")
        .required("timestamp")
        .required("data");
    Schema::Object(object.build())
}

fn item(kind: &str, schema: &str) -> PathItem {
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            Content::new(Some(Ref::from_schema_name(schema))),
        )
        .required(Some(Required::True))
        .build();
    let taken = "Any 2xx: it is taken. Others are tried again, as docs/webhooks.md says";
    let operation = OperationBuilder::new()
        .summary(Some(kind))
        .description(Some(about(kind).0))
        .operation_id(Some(format!("on{}", schema_name(kind))))
        .tag(super::WEBHOOKS)
        .request_body(Some(body))
        .response("2XX", ResponseBuilder::new().description(taken).build())
        .build();
    PathItem::new(HttpMethod::Post, operation)
}
