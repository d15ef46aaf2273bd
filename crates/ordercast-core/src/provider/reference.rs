//! The reference provider's webhooks (store contract, section 3), combined and separate mode.
//!
//! Amounts come as decimal strings in `order`, as JSON numbers in `purchase`; both are read as
//! decimal text, never as floating point.
//!
//! The order is named by `order.id`; by webhooks of payments wherever the shop had its number put:
//! `purchase.order.id`, `transaction.external_id` or `custom_parameters.order_id`.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: its webhook pages, its kit for agents, its PHP SDK.

use super::{
    Amount, Event, EventError, Meaning, Request, Subject,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question},
    signature::{Unverified, matching, required},
    told::{RENEWAL, Told, ToldRefund},
};
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, ProjectId, RefundId, UserId},
    order::Mode,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// The code of a refund that a bank has forced.
const CHARGEBACK: &str = "2";

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment", Meaning::Paid),
    ("order_paid", Meaning::Paid),
    ("payment:free", Meaning::NothingDue),
    // A later charge of a subscription, which repeats what the first one was told.
    ("payment:renewal", Meaning::Ignore),
    ("refund:renewal", Meaning::Ignore),
    ("partial_refund:renewal", Meaning::Ignore),
    ("order_paid:free", Meaning::NothingDue),
    // Bought for virtual currency or points: no money.
    ("order_paid:virtual", Meaning::Ignore),
    ("order_canceled:virtual", Meaning::Ignore),
    // Declined by the payment system, or by its protection against fraud.
    ("ps_declined", Meaning::Failed),
    ("afs_reject", Meaning::Failed),
    ("afs_black_list", Meaning::Ignore),
    ("refund", Meaning::Refunded),
    ("partial_refund", Meaning::Refunded),
    ("order_canceled", Meaning::Refunded),
    ("refund:2", Meaning::DisputeLost),
    ("order_canceled:2", Meaning::DisputeLost),
    ("dispute:retrieval", Meaning::DisputeInquiry),
    ("dispute:new", Meaning::DisputeOpened),
    ("dispute:won", Meaning::DisputeWon),
    ("dispute:lost", Meaning::DisputeLost),
    ("dispute:accepted", Meaning::DisputeAccepted),
    ("dispute", Meaning::Ignore),
    ("create_subscription", Meaning::Ignore),
    ("update_subscription", Meaning::Ignore),
    ("cancel_subscription", Meaning::Ignore),
    ("non_renewal_subscription", Meaning::Ignore),
    ("payment_account_add", Meaning::Ignore),
    ("payment_account_remove", Meaning::Ignore),
];

pub const ADDRESSES: &[&str] = &[
    "185.30.20.0/24",
    "185.30.21.0/24",
    "185.30.22.0/24",
    "185.30.23.0/24",
    "34.102.38.178/32",
    "34.94.43.207/32",
    "35.236.73.234/32",
    "34.94.69.44/32",
    "34.102.22.197/32",
];

/// `Authorization: Signature <hex>`, plain SHA-1 of body and secret (store contract, 3.2).
pub(super) fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let expected = Sha1::new()
        .chain_update(request.body)
        .chain_update(secret)
        .finalize();
    let given = required(request, "authorization")?
        .strip_prefix("Signature ")
        .and_then(|hex| HEXLOWER.decode(hex.trim().as_bytes()).ok())
        .unwrap_or_default();
    matching(verify_slices_are_equal(&given, &expected).is_ok())
}

pub const API: Api = Api {
    host: "https://api.xsolla.com",
    authorization: Authorization::Basic("MERCHANT_ID:API_KEY"),
    headers: &[],
};

/// Merchant API, *Search transactions* (store contract, 2.2): those whose external id is the order, tests
/// among them. The merchant stands in the path, before the colon of the credential.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let Some(merchant) = question::plain(about.account, "") else {
        return Vec::new();
    };
    let (project, order) = (about.project, about.order);
    let path = format!(
        "/merchant/v2/merchants/{merchant}/reports/transactions/search.json?external_id={order}&type=all"
    );
    vec![Question::new(path, move |found| {
        let items = found.list("").unwrap_or_default();
        let papers = items
            .iter()
            .filter_map(|item| of_transaction(item, project, order));
        Ok(Answer::of(papers))
    })]
}

/// The webhook that would tell what became of a transaction.
fn of_transaction(item: &Json, project: ProjectId, order: OrderId) -> Option<Paper> {
    let at = |pointer: &str| item.at(pointer).cloned().unwrap_or_default();
    let kind = match item.text("/transaction/status")?.as_str() {
        "done" => "payment",
        "refunded" => "refund",
        _ => return None,
    };
    let webhook = json!({
        "notification_type": kind,
        "settings": { "project_id": project },
        "purchase": {
            "total": {
                "amount": at("/purchase/total/amount"),
                "currency": at("/purchase/total/currency"),
            },
            "order": { "id": order },
        },
        "transaction": { "id": at("/transaction/id") },
    });
    match read(&Json::of(webhook.clone()), project, "").ok()? {
        Read::Told(told) => Some(Paper::new(&webhook, vec![*told])),
        Read::Question(_) => None,
    }
}

/// What an event is, or a question that has no answer but ours.
pub enum Read {
    Told(Box<Told>),
    Question(Box<Event>),
}

/// Reads one body. `body_hash` stands in as the dedup key of kinds without an identity of their own.
pub fn read(body: &Json, project: ProjectId, body_hash: &str) -> Result<Read, EventError> {
    let kind = body.required("/notification_type", "notification_type")?;
    check_project(body, project)?;
    let told = match kind.as_str() {
        "user_validation" => return question(body, kind),
        "order_paid" | "order_canceled" => of_order(body, kind)?,
        "payment" | "refund" | "partial_refund" => of_payment(body, kind, body_hash)?,
        "dispute" => of_dispute(body, kind, body_hash)?,
        _ => Told {
            dedup_key: format!("{kind}:{body_hash}"),
            word: kind,
            attempt: body.attempt(&["/transaction/id"]),
            ..named(body)
        },
    };
    let mode = mode(body);
    Ok(Read::Told(Box::new(Told { mode, ..told })))
}

/// The order of a webhook about a payment: where the shop told the provider to put its number, which of
/// these places is its choice.
fn named(body: &Json) -> Told {
    let places = ["/purchase/order/id", "/transaction/external_id"];
    let (custom, custom_name) = body.reference("/custom_parameters");
    Told {
        order: body.order(&places).or(custom),
        named: body
            .named(&places)
            .or(custom_name)
            .filter(|_| custom.is_none()),
        ..Told::default()
    }
}

/// A store's order and its payment's own mark; either makes it test money.
fn mode(body: &Json) -> Option<Mode> {
    let order = body.text("/order/mode");
    let dry_run = body
        .flag("/transaction/dry_run")
        .or_else(|| body.flag("/billing/transaction/dry_run"));
    match (order.as_deref(), dry_run) {
        (Some("sandbox"), _) | (_, Some(true)) => Some(Mode::Sandbox),
        (Some("default"), _) | (_, Some(false)) => Some(Mode::Default),
        _ => None,
    }
}

fn question(body: &Json, kind: String) -> Result<Read, EventError> {
    let user = body
        .text("/user/id")
        .and_then(|id| UserId::new(&id).ok())
        .ok_or(EventError::Field("user.id"))?;
    let event = Event::new(kind, Subject::User(user), None);
    Ok(Read::Question(Box::new(event)))
}

/// Its events carry the time of the payment, those of refunds too: nothing that orders them.
fn of_order(body: &Json, kind: String) -> Result<Told, EventError> {
    let order = body
        .order(&["/order/id"])
        .ok_or(EventError::Field("order.id"))?;
    // `order.invoice_id` equals `transaction.id` of the payment; orders without a payment have none.
    let attempt = body
        .any(&["/order/invoice_id", "/billing/transaction/id"])
        .unwrap_or_else(|| format!("order:{order}"));
    let attempt = AttemptId::new(&attempt).map_err(|_| EventError::Field("order.invoice_id"))?;
    let currency_type = body.text("/order/currency_type");
    let is_virtual = matches!(currency_type.as_deref(), Some("virtual" | "loyalty_point"));
    if is_virtual {
        return Ok(Told {
            word: format!("{kind}:virtual"),
            dedup_key: format!("{kind}:{order}:{attempt}"),
            order: Some(order),
            attempt: Some(attempt),
            ..Told::default()
        });
    }
    let (amount, dedup_key) = if kind == "order_paid" {
        let amount = money(body, "/order/amount", "/order/currency", "order.amount")?;
        let key = format!("{kind}:{order}:{attempt}:{}", key_of(&amount));
        (amount, key)
    } else {
        (Amount::NotTold, format!("{kind}:{order}:{attempt}"))
    };
    let word = with_code(body, "/billing/refund_details/code", kind);
    Ok(Told {
        word: if_free(word, &amount),
        dedup_key,
        order: Some(order),
        attempt: Some(attempt),
        total: amount.clone(),
        amount,
        ..Told::default()
    })
}

/// `purchase.order.id` is there only if the project switched it on, the other places only if the shop
/// filled them.
fn of_payment(body: &Json, kind: String, body_hash: &str) -> Result<Told, EventError> {
    let attempt = body
        .attempt(&["/transaction/id"])
        .ok_or(EventError::Field("transaction.id"))?;
    if is_renewal(body) {
        return Ok(Told {
            word: format!("{kind}:renewal"),
            dedup_key: format!("{kind}:{body_hash}"),
            attempt: Some(attempt),
            foreign: Some(RENEWAL),
            ..Told::default()
        });
    }
    let total = || {
        money(
            body,
            "/purchase/total/amount",
            "/purchase/total/currency",
            "purchase.total",
        )
    };
    let mut told = Told {
        dedup_key: format!("{kind}:{attempt}"),
        attempt: Some(attempt),
        ..named(body)
    };
    match kind.as_str() {
        "payment" => {
            let amount = total()?;
            told.dedup_key = format!("{}:{}", told.dedup_key, key_of(&amount));
            told.total = amount.clone();
            told.amount = amount;
        }
        // Parts have no names; two of one payment differ at least in their bodies.
        "partial_refund" => {
            told.refunded = ToldRefund::Part(total()?);
            told.refund = RefundId::new(body_hash).ok();
            told.dedup_key = format!("{kind}:{body_hash}");
            told.may_be_a_twin = true;
        }
        _ => {}
    }
    told.word = if_free(with_code(body, "/refund_details/code", kind), &told.amount);
    Ok(told)
}

/// About the whole transaction. A retrieval asks for papers and moves no money; of the others the
/// status is the condition.
fn of_dispute(body: &Json, kind: String, body_hash: &str) -> Result<Told, EventError> {
    let is_retrieval = body.text("/dispute/type").as_deref() == Some("retrieval");
    let status = body.required("/dispute/status", "dispute.status")?;
    let condition = if is_retrieval { "retrieval" } else { &status };
    Ok(Told {
        word: format!("{kind}:{condition}"),
        dedup_key: format!("{kind}:{body_hash}"),
        attempt: body.attempt(&["/transaction/id"]),
        ..named(body)
    })
}

/// Charged by a subscription that had begun at least a day before.
fn is_renewal(body: &Json) -> bool {
    let begun = body.rfc3339("/purchase/subscription/date_create");
    let paid = body.rfc3339("/transaction/payment_date");
    matches!((begun, paid), (Some(begun), Some(paid)) if paid.millis() - begun.millis() >= DAY_MILLIS)
}

/// A payment of nothing.
fn if_free(word: String, amount: &Amount) -> String {
    match amount {
        Amount::Told(money) if money.minor == 0 => format!("{word}:free"),
        _ => word,
    }
}

/// Of the reasons of a refund (store contract, 3.8) only a chargeback means something else.
fn with_code(body: &Json, pointer: &str, kind: String) -> String {
    match body.text(pointer).as_deref() {
        Some(CHARGEBACK) => format!("{kind}:{CHARGEBACK}"),
        _ => kind,
    }
}

/// Combined mode carries the project in `billing`, separate mode at the top, virtual orders nowhere.
fn check_project(body: &Json, project: ProjectId) -> Result<(), EventError> {
    let given = body
        .at("/settings/project_id")
        .or_else(|| body.at("/billing/settings/project_id"))
        .and_then(Value::as_i64);
    match given {
        Some(got) if got != i64::from(project.get()) => Err(EventError::Project {
            got,
            expected: project.get(),
        }),
        _ => Ok(()),
    }
}

fn money(
    body: &Json,
    amount: &str,
    currency: &str,
    field: &'static str,
) -> Result<Amount, EventError> {
    match body.decimal(amount, currency) {
        Amount::NotTold => Err(EventError::Field(field)),
        amount => Ok(amount),
    }
}

fn key_of(amount: &Amount) -> String {
    match amount {
        Amount::Told(money) => money.to_string(),
        Amount::Unreadable(told) => told.clone(),
        Amount::NotTold => String::new(),
    }
}
