//! Razorpay. The order is named by `notes.order_id` of the payment; the payment by its id. A failed
//! payment may be captured days later.

use super::{
    EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, required},
    told::{Told, ToldRefund},
};
use crate::Timestamp;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment.authorized", Meaning::Authorized),
    ("payment.captured", Meaning::Paid),
    ("order.paid", Meaning::Paid),
    ("payment.failed", Meaning::Failed),
    ("refund.created", Meaning::Ignore),
    ("refund.processed", Meaning::Refunded),
    ("refund.failed", Meaning::RefundReversed),
    ("refund.speed_changed", Meaning::Ignore),
    // The bank asks for papers; no money moves.
    ("payment.dispute.created:retrieval", Meaning::DisputeInquiry),
    ("payment.dispute.created", Meaning::DisputeOpened),
    ("payment.dispute.under_review", Meaning::Ignore),
    ("payment.dispute.action_required", Meaning::Ignore),
    ("payment.dispute.won", Meaning::DisputeWon),
    ("payment.dispute.lost", Meaning::DisputeLost),
    ("payment.dispute.closed", Meaning::DisputeExpired),
];

/// `X-Razorpay-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-razorpay-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

pub fn read(body: &Json, request: Request<'_>, body_hash: &str) -> Result<Told, EventError> {
    let payment = "/payload/payment/entity";
    let at = |field: &str| format!("{payment}{field}");
    let id = request.header("x-razorpay-event-id");
    let kind = body.required("/event", "event")?;
    let phase = body
        .text("/payload/dispute/entity/phase")
        .filter(|_| kind == "payment.dispute.created");
    Ok(Told {
        word: match phase {
            Some(phase) => format!("{kind}:{phase}"),
            None => kind,
        },
        // The id comes in a header, which the signature does not cover: a forger cannot use it, because
        // the body must be signed all the same.
        dedup_key: id.unwrap_or(body_hash).chars().take(200).collect(),
        order: body.order(&[
            &at("/notes/order_id"),
            "/payload/order/entity/notes/order_id",
        ]),
        attempt: body.attempt(&[
            &at("/id"),
            "/payload/refund/entity/payment_id",
            "/payload/dispute/entity/payment_id",
        ]),
        amount: body.minor(&at("/amount"), &at("/currency")),
        refund: body.refund(&["/payload/refund/entity/id"]),
        refunded: ToldRefund::Part(body.minor(
            "/payload/refund/entity/amount",
            "/payload/refund/entity/currency",
        )),
        disputed: body.minor(
            "/payload/dispute/entity/amount",
            "/payload/dispute/entity/currency",
        ),
        occurred_at: body.seconds("/created_at"),
        ..Told::default()
    })
}
