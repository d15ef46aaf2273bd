//! The reference provider's webhooks (store contract, section 3), combined and separate mode.
//!
//! Amounts come as decimal strings in `order`, as JSON numbers in `purchase`; both are read as
//! decimal text, never as floating point.

use super::{Event, EventError, Request, Subject};
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, ProjectId, UserId},
    money::{Currency, Money},
    order::{Fact, Refunded},
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha1::{Digest, Sha1};

/// `Authorization: Signature <hex>`, plain SHA-1 of body and secret (store contract, 3.2).
pub(super) fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> bool {
    let expected = Sha1::new()
        .chain_update(request.body)
        .chain_update(secret)
        .finalize();
    let given = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Signature "))
        .and_then(|hex| HEXLOWER.decode(hex.trim().as_bytes()).ok())
        .unwrap_or_default();
    verify_slices_are_equal(&given, &expected).is_ok()
}

/// Reads one body. `body_hash` stands in as the dedup key of kinds without an identity of their own.
///
/// # Errors
/// [`EventError`] when the body is not JSON, belongs to another project or lacks a field that its
/// kind must have.
pub fn parse(body: &[u8], project: ProjectId, body_hash: &str) -> Result<Event, EventError> {
    let root: Value = serde_json::from_slice(body).map_err(|_| EventError::NotJson)?;
    let kind = text(&root, "/notification_type", "notification_type")?.to_owned();
    check_project(&root, project)?;
    let event = |dedup_key, subject, fact| {
        Ok(Event {
            kind: kind.clone(),
            dedup_key,
            subject,
            fact,
            // It carries the time of the payment, in refunds too: nothing that orders its events.
            occurred_at: None,
        })
    };
    match kind.as_str() {
        "order_paid" | "order_canceled" => {
            let order = root
                .pointer("/order/id")
                .and_then(Value::as_i64)
                .and_then(|id| OrderId::new(id).ok())
                .ok_or(EventError::Field("order.id"))?;
            let attempt = order_attempt(&root, order)?;
            if kind == "order_canceled" {
                let key = format!("order_canceled:{order}:{attempt}");
                let fact = Fact::Refunded {
                    attempt: attempt.clone(),
                    refund: None,
                    amount: Refunded::Whole,
                };
                return event(Some(key), Subject::Order { order, attempt }, Some(fact));
            }
            let amount = money(&root, "/order/amount", "/order/currency", "order.amount")?;
            let key = format!("order_paid:{order}:{attempt}:{amount}");
            let fact = Fact::Paid {
                attempt: attempt.clone(),
                amount,
            };
            event(Some(key), Subject::Order { order, attempt }, Some(fact))
        }
        "payment" => {
            let attempt = transaction(&root)?;
            let amount = money(
                &root,
                "/purchase/total/amount",
                "/purchase/total/currency",
                "purchase.total",
            )?;
            let key = format!("payment:{attempt}:{amount}");
            let fact = Fact::Paid {
                attempt: attempt.clone(),
                amount,
            };
            event(Some(key), payment_subject(&root, attempt), Some(fact))
        }
        "refund" => {
            let attempt = transaction(&root)?;
            let key = format!("refund:{attempt}");
            let fact = Fact::Refunded {
                attempt: attempt.clone(),
                refund: None,
                amount: Refunded::Whole,
            };
            event(Some(key), payment_subject(&root, attempt), Some(fact))
        }
        "user_validation" => {
            let user = scalar(root.pointer("/user/id"))
                .and_then(|id| UserId::new(&id).ok())
                .ok_or(EventError::Field("user.id"))?;
            event(None, Subject::User(user), None)
        }
        _ => event(Some(format!("{kind}:{body_hash}")), Subject::Unknown, None),
    }
}

/// Combined mode carries the project in `billing`, separate mode at the top, virtual orders nowhere.
fn check_project(root: &Value, project: ProjectId) -> Result<(), EventError> {
    let given = root
        .pointer("/settings/project_id")
        .or_else(|| root.pointer("/billing/settings/project_id"))
        .and_then(Value::as_i64);
    match given {
        Some(got) if got != i64::from(project.get()) => Err(EventError::Project {
            got,
            expected: project.get(),
        }),
        _ => Ok(()),
    }
}

/// `order.invoice_id` equals `transaction.id` of the payment; orders without a payment have none.
fn order_attempt(root: &Value, order: OrderId) -> Result<AttemptId, EventError> {
    let id = scalar(root.pointer("/order/invoice_id"))
        .or_else(|| scalar(root.pointer("/billing/transaction/id")))
        .unwrap_or_else(|| format!("order:{order}"));
    AttemptId::new(&id).map_err(|_| EventError::Field("order.invoice_id"))
}

fn transaction(root: &Value) -> Result<AttemptId, EventError> {
    scalar(root.pointer("/transaction/id"))
        .and_then(|id| AttemptId::new(&id).ok())
        .ok_or(EventError::Field("transaction.id"))
}

/// `purchase.order.id` is there only if the project switched it on.
fn payment_subject(root: &Value, attempt: AttemptId) -> Subject {
    root.pointer("/purchase/order/id")
        .and_then(Value::as_i64)
        .and_then(|id| OrderId::new(id).ok())
        .map_or_else(
            || Subject::Attempt(attempt.clone()),
            |order| Subject::Order {
                order,
                attempt: attempt.clone(),
            },
        )
}

fn money(
    root: &Value,
    amount: &str,
    currency: &str,
    field: &'static str,
) -> Result<Money, EventError> {
    let currency = text(root, currency, field)?;
    let currency = Currency::new(currency).map_err(|_| EventError::Field(field))?;
    let amount = scalar(root.pointer(amount)).ok_or(EventError::Field(field))?;
    Money::parse(&amount, currency).map_err(|_| EventError::Field(field))
}

fn text<'a>(root: &'a Value, at: &str, field: &'static str) -> Result<&'a str, EventError> {
    root.pointer(at)
        .and_then(Value::as_str)
        .ok_or(EventError::Field(field))
}

/// Ids come as strings in one mode and as numbers in the other.
fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(body: &Value) -> Result<Event, EventError> {
        parse(
            body.to_string().as_bytes(),
            ProjectId::new(308_077).expect("id"),
            "hash",
        )
    }

    fn paid(attempt: &str, amount: &str) -> Option<Fact> {
        let usd = Currency::new("USD").expect("code");
        Some(Fact::Paid {
            attempt: AttemptId::new(attempt).expect("attempt"),
            amount: Money::parse(amount, usd).expect("amount"),
        })
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
                json!({"notification_type": "order_paid", "order": {"id": 1, "amount": "x", "currency": "USD"}}),
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
        let event = parsed(&json!({"notification_type": "afs_reject"})).expect("event");
        assert_eq!(event.subject, Subject::Unknown);
        assert_eq!(event.dedup_key.as_deref(), Some("afs_reject:hash"));
    }
}
