//! The reference provider's webhooks (store contract, section 3), combined and separate mode.
//!
//! Amounts come as decimal strings in `order`, as JSON numbers in `purchase`; both are read as
//! decimal text, never as floating point.

use super::{
    Amount, Event, EventError, Meaning, Request, Subject,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question},
    signature::{Unverified, matching, required},
    told::{Told, ToldRefund},
};
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, ProjectId, RefundId, UserId},
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// The code of a refund that a bank has forced.
const CHARGEBACK: &str = "2";

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment", Meaning::Paid),
    ("order_paid", Meaning::Paid),
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
    ("dispute:accepted", Meaning::DisputeLost),
    ("dispute", Meaning::Ignore),
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
            order: body.order(&["/purchase/order/id"]),
            attempt: body.attempt(&["/transaction/id"]),
            ..Told::default()
        },
    };
    Ok(Read::Told(Box::new(told)))
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
        .at("/order/id")
        .and_then(Value::as_i64)
        .and_then(|id| OrderId::new(id).ok())
        .ok_or(EventError::Field("order.id"))?;
    // `order.invoice_id` equals `transaction.id` of the payment; orders without a payment have none.
    let attempt = body
        .any(&["/order/invoice_id", "/billing/transaction/id"])
        .unwrap_or_else(|| format!("order:{order}"));
    let attempt = AttemptId::new(&attempt).map_err(|_| EventError::Field("order.invoice_id"))?;
    let (amount, dedup_key) = if kind == "order_paid" {
        let amount = money(body, "/order/amount", "/order/currency", "order.amount")?;
        let key = format!("{kind}:{order}:{attempt}:{}", key_of(&amount));
        (amount, key)
    } else {
        (Amount::NotTold, format!("{kind}:{order}:{attempt}"))
    };
    Ok(Told {
        word: with_code(body, "/billing/refund_details/code", kind),
        dedup_key,
        order: Some(order),
        attempt: Some(attempt),
        amount,
        ..Told::default()
    })
}

/// `purchase.order.id` is there only if the project switched it on.
fn of_payment(body: &Json, kind: String, body_hash: &str) -> Result<Told, EventError> {
    let attempt = body
        .attempt(&["/transaction/id"])
        .ok_or(EventError::Field("transaction.id"))?;
    let total = || {
        money(
            body,
            "/purchase/total/amount",
            "/purchase/total/currency",
            "purchase.total",
        )
    };
    let mut told = Told {
        order: body.order(&["/purchase/order/id"]),
        dedup_key: format!("{kind}:{attempt}"),
        attempt: Some(attempt),
        ..Told::default()
    };
    match kind.as_str() {
        "payment" => {
            let amount = total()?;
            told.dedup_key = format!("{}:{}", told.dedup_key, key_of(&amount));
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
    told.word = with_code(body, "/refund_details/code", kind);
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
        ..Told::default()
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        money::{Currency, Money},
        order::{DisputeState, Fact, Refunded},
        provider::{self, Provider, SourceSettings},
    };
    use serde_json::json;

    fn parsed(body: &Value) -> Result<Event, EventError> {
        let body = body.to_string();
        let request = Request {
            headers: &[],
            body: body.as_bytes(),
        };
        let settings = SourceSettings::default();
        let project = ProjectId::new(308_077).expect("id");
        let events = provider::read(Provider::Reference, request, project, &settings, "hash");
        events.map(|mut events| events.remove(0))
    }

    fn paid(attempt: &str, amount: &str) -> Option<Fact> {
        let usd = Currency::new("USD").expect("code");
        Some(Fact::paid(
            AttemptId::new(attempt).expect("attempt"),
            Money::parse(amount, usd).expect("amount"),
        ))
    }

    #[test]
    fn order_paid_and_its_payment_name_the_same_attempt() {
        let order_paid = parsed(&json!({
            "notification_type": "order_paid",
            "order": {"id": 7, "invoice_id": "42", "amount": "1.9900", "currency": "USD"},
            "billing": {"settings": {"project_id": 308_077}},
        }))
        .expect("order_paid");
        let payment = parsed(&json!({
            "notification_type": "payment",
            "settings": {"project_id": 308_077},
            "purchase": {"total": {"amount": 1.99, "currency": "USD"}},
            "transaction": {"id": 42},
        }))
        .expect("payment");
        assert_eq!(order_paid.fact, paid("42", "1.99"));
        assert_eq!(payment.fact, order_paid.fact);
        assert_eq!(
            payment.subject,
            Subject::Attempt(AttemptId::new("42").expect("attempt"))
        );
        assert_ne!(payment.dedup_key, order_paid.dedup_key);
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let table = [
            (json!({"order": {}}), EventError::Field("notification_type")),
            (json!([]), EventError::Field("notification_type")),
            (
                json!({"notification_type": "order_paid"}),
                EventError::Field("order.id"),
            ),
            (
                json!({"notification_type": "order_paid", "order": {"id": 0}}),
                EventError::Field("order.id"),
            ),
            (
                json!({"notification_type": "order_paid", "order": {"id": 1, "currency": "USD"}}),
                EventError::Field("order.amount"),
            ),
            (
                json!({"notification_type": "payment", "settings": {"project_id": 1}}),
                EventError::Project {
                    got: 1,
                    expected: 308_077,
                },
            ),
            (
                json!({"notification_type": "user_validation", "user": {}}),
                EventError::Field("user.id"),
            ),
        ];
        for (body, error) in table {
            assert_eq!(parsed(&body), Err(error), "{body}");
        }
    }

    #[test]
    fn an_unknown_kind_is_kept_without_effect() {
        let event = parsed(&json!({"notification_type": "redeem_key"})).expect("event");
        assert_eq!(event.subject, Subject::Unknown);
        assert_eq!(event.dedup_key.as_deref(), Some("redeem_key:hash"));
    }

    #[test]
    fn what_goes_back_and_what_is_disputed() {
        let attempt = || AttemptId::new("42").expect("attempt");
        let refunded = |refund: Option<&str>, amount| Fact::Refunded {
            attempt: attempt(),
            refund: refund.map(|id| RefundId::new(id).expect("id")),
            amount,
        };
        let disputed = |state| Fact::Disputed {
            attempt: attempt(),
            state,
            amount: None,
            dispute: None,
        };
        let half = Money::parse("0.5", Currency::new("USD").expect("code")).expect("amount");
        let of_payment = |kind: &str, code: u8| {
            json!({ "notification_type": kind, "transaction": { "id": 42 },
                "purchase": { "total": { "amount": 0.5, "currency": "USD" } },
                "refund_details": { "code": code } })
        };
        let dispute = |kind: &str, status: &str| {
            json!({ "notification_type": "dispute", "action": "updating", "transaction": { "id": 42 },
                "dispute": { "type": kind, "status": status } })
        };
        let canceled = |code: u8| {
            json!({ "notification_type": "order_canceled", "order": { "id": 7, "invoice_id": "42" },
                "billing": { "refund_details": { "code": code } } })
        };
        for (body, fact) in [
            (
                of_payment("refund", 1),
                Some(refunded(None, Refunded::Whole)),
            ),
            (of_payment("refund", 2), Some(disputed(DisputeState::Lost))),
            (
                of_payment("partial_refund", 9),
                Some(refunded(Some("hash"), Refunded::Part(half))),
            ),
            (canceled(1), Some(refunded(None, Refunded::Whole))),
            (canceled(2), Some(disputed(DisputeState::Lost))),
            (
                dispute("retrieval", "new"),
                Some(disputed(DisputeState::Inquiry)),
            ),
            (
                dispute("1st_time_chargeback", "new"),
                Some(disputed(DisputeState::Opened)),
            ),
            (
                dispute("1st_time_chargeback", "won"),
                Some(disputed(DisputeState::Won)),
            ),
            (
                dispute("1st_time_chargeback", "lost"),
                Some(disputed(DisputeState::Lost)),
            ),
            (dispute("1st_time_chargeback", "in_work"), None),
            (
                json!({ "notification_type": "ps_declined", "transaction": { "id": 42 } }),
                Some(Fact::PaymentFailed { attempt: attempt() }),
            ),
        ] {
            assert_eq!(parsed(&body).expect("event").fact, fact, "{body}");
        }
    }
}
