//! What each provider's bodies mean: one row a meaning, as they document them.

use ordercast_core::{
    ProjectId,
    ids::{AttemptId, DisputeId, RefundId},
    money::{Currency, Money},
    order::{DisputeState, Fact, Refunded},
    provider::{
        AmountUnit, Event, EventError, Meaning, Provider, Request, SourceSettings, StandardFields,
        Subject, mollie_payment, read,
    },
};
use serde_json::{Value, json};

pub fn events(
    provider: Provider,
    settings: &SourceSettings,
    body: &Value,
) -> Result<Vec<Event>, EventError> {
    let body = body.to_string();
    let headers = [("webhook-id", "msg_1"), ("x-razorpay-event-id", "evt_9")];
    let request = Request {
        headers: &headers,
        body: body.as_bytes(),
    };
    read(
        provider,
        request,
        ProjectId::new(1).expect("id"),
        settings,
        "hash",
    )
}

pub fn event(provider: Provider, body: &Value) -> Event {
    let mut all = events(provider, &SourceSettings::default(), body).expect("readable");
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub fn attempt(id: &str) -> AttemptId {
    AttemptId::new(id).expect("id")
}

pub fn refund(id: &str) -> Option<RefundId> {
    Some(RefundId::new(id).expect("id"))
}

pub fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, Currency::new(currency).expect("code")).expect("range")
}

pub fn paid(id: &str, minor: i64, currency: &str) -> Fact {
    Fact::paid(attempt(id), money(minor, currency))
}

pub fn disputed(id: &str, state: DisputeState) -> Fact {
    Fact::Disputed {
        attempt: attempt(id),
        state,
        amount: None,
        dispute: None,
    }
}

pub fn named_dispute(id: &str, dispute: &str, state: DisputeState) -> Fact {
    Fact::Disputed {
        attempt: attempt(id),
        state,
        amount: None,
        dispute: Some(DisputeId::new(dispute).expect("id")),
    }
}

pub fn part(id: &str, of: &str, minor: i64, currency: &str) -> Fact {
    Fact::Refunded {
        attempt: attempt(of),
        refund: refund(id),
        amount: Refunded::Part(money(minor, currency)),
    }
}

/// The fact, the order that it names, and the dedup key.
pub fn check(provider: Provider, body: &Value, fact: Option<Fact>, order: Option<u32>) {
    let event = event(provider, body);
    assert_eq!(event.fact, fact, "{provider:?} {}", event.kind);
    let named = match event.subject {
        Subject::Order { order, .. } => Some(order.get()),
        Subject::Attempt(_)
        | Subject::Foreign { .. }
        | Subject::User(_)
        | Subject::Unknown
        | Subject::Nothing
        | Subject::Unreadable(_) => None,
    };
    assert_eq!(named, order, "{provider:?} {}", event.kind);
    assert!(event.dedup_key.is_some());
}

#[test]
fn a_source_may_say_what_a_word_means() {
    let body = json!({ "notificationItems": [{ "NotificationRequestItem": {
        "eventCode": "AUTHORISATION", "success": "true", "pspReference": "A",
        "merchantReference": "7", "amount": { "value": 199, "currency": "EUR" } } }] });
    for (word, meaning, fact) in [
        (
            "AUTHORISATION:true",
            Meaning::Authorized,
            Some(Fact::PaymentAuthorized {
                attempt: attempt("A"),
            }),
        ),
        ("AUTHORISATION", Meaning::Ignore, None),
        ("CAPTURE:true", Meaning::Ignore, Some(paid("A", 199, "EUR"))),
    ] {
        let settings = SourceSettings {
            mapping: [(word.to_owned(), meaning)].into(),
            ..SourceSettings::default()
        };
        let events = events(Provider::Adyen, &settings, &body).expect("readable");
        assert_eq!(events[0].fact, fact, "{word}");
    }
}

#[test]
fn lemon_squeezy() {
    let body = |kind: &str, status: &str, refunded: i64| {
        json!({
        "meta": { "event_name": kind, "custom_data": { "order_id": "7" } },
        "data": { "id": "11", "attributes": { "status": status, "total": 199, "currency": "USD", "refunded_amount": refunded, "updated_at": "2026-11-23T10:00:00.000000Z" } } })
    };
    let total = |minor| Fact::Refunded {
        attempt: attempt("11"),
        refund: None,
        amount: Refunded::Total(money(minor, "USD")),
    };
    for (body, fact) in [
        (
            body("order_created", "paid", 0),
            Some(paid("11", 199, "USD")),
        ),
        (
            body("order_created", "pending", 0),
            Some(Fact::PaymentPending {
                attempt: attempt("11"),
            }),
        ),
        (
            body("order_created", "failed", 0),
            Some(Fact::PaymentFailed {
                attempt: attempt("11"),
            }),
        ),
        (body("order_refunded", "refunded", 199), Some(total(199))),
        (
            body("order_refunded", "partial_refund", 50),
            Some(total(50)),
        ),
    ] {
        check(Provider::LemonSqueezy, &body, fact, Some(7));
    }
}

#[test]
fn mollie() {
    let payment = |status: &str, back: &str| {
        json!({ "resource": "payment", "id": "tr_1", "status": status, "amount": { "value": "1.99", "currency": "EUR" },
        "amountRefunded": { "value": back, "currency": "EUR" }, "metadata": { "order_id": 7 }, "paidAt": "2026-11-23T10:00:00+00:00" })
    };
    let settings = SourceSettings::default();
    let facts = |payment: &Value| -> Vec<_> {
        let events = mollie_payment(payment.to_string().as_bytes(), &settings).expect("readable");
        events
            .into_iter()
            .map(|event| (event.dedup_key.expect("key"), event.fact))
            .collect()
    };
    for (status, fact) in [
        ("open", None),
        (
            "pending",
            Some(Fact::PaymentPending {
                attempt: attempt("tr_1"),
            }),
        ),
        (
            "authorized",
            Some(Fact::PaymentAuthorized {
                attempt: attempt("tr_1"),
            }),
        ),
        ("paid", Some(paid("tr_1", 199, "EUR"))),
        (
            "failed",
            Some(Fact::PaymentFailed {
                attempt: attempt("tr_1"),
            }),
        ),
        (
            "canceled",
            Some(Fact::PaymentFailed {
                attempt: attempt("tr_1"),
            }),
        ),
        (
            "expired",
            Some(Fact::PaymentFailed {
                attempt: attempt("tr_1"),
            }),
        ),
    ] {
        assert_eq!(
            facts(&payment(status, "0.00")),
            [(format!("tr_1:{status}"), fact)]
        );
    }
    let back = Fact::Refunded {
        attempt: attempt("tr_1"),
        refund: None,
        amount: Refunded::Total(money(50, "EUR")),
    };
    assert_eq!(
        facts(&payment("paid", "0.50"))[1],
        ("tr_1:refunded:50".to_owned(), Some(back))
    );
    let signed = json!({ "resource": "event", "id": "event_1", "type": "payment.paid", "entityId": "tr_1", "_embedded": { "entity": payment("paid", "0.00") } });
    check(
        Provider::MollieNext,
        &signed,
        Some(paid("tr_1", 199, "EUR")),
        Some(7),
    );
    let thin =
        json!({ "resource": "event", "id": "event_1", "type": "payment.paid", "entityId": "tr_1" });
    assert_eq!(
        event(Provider::MollieNext, &thin).fact,
        None,
        "it does not say how much"
    );
}

#[test]
fn coinbase() {
    let charge = |kind: &str| {
        json!({ "id": "x", "event": { "id": "e1", "type": kind, "created_at": "2026-11-23T10:00:00Z",
        "data": { "id": "ch", "code": "ABC", "metadata": { "order_id": "7" }, "pricing": { "local": { "amount": "1.99", "currency": "USD" } } } } })
    };
    for (kind, fact) in [
        ("charge:created", None),
        (
            "charge:pending",
            Some(Fact::PaymentPending {
                attempt: attempt("ABC"),
            }),
        ),
        ("charge:confirmed", Some(paid("ABC", 199, "USD"))),
        (
            "charge:failed",
            Some(Fact::PaymentFailed {
                attempt: attempt("ABC"),
            }),
        ),
        ("charge:resolved", Some(paid("ABC", 199, "USD"))),
    ] {
        check(Provider::CoinbaseCommerce, &charge(kind), fact, Some(7));
    }
    let checkout = |kind: &str| json!({ "eventType": kind, "id": "co_1", "amount": "1.99", "currency": "USD", "metadata": { "order_id": "7" }, "refundId": "r1" });
    for (kind, fact) in [
        ("checkout.payment.success", Some(paid("co_1", 199, "USD"))),
        (
            "checkout.payment.failed",
            Some(Fact::PaymentFailed {
                attempt: attempt("co_1"),
            }),
        ),
        (
            "checkout.payment.expired",
            Some(Fact::PaymentFailed {
                attempt: attempt("co_1"),
            }),
        ),
        (
            "checkout.refund.success",
            Some(Fact::Refunded {
                attempt: attempt("co_1"),
                refund: refund("r1"),
                amount: Refunded::Whole,
            }),
        ),
        (
            "checkout.refund.failed",
            Some(Fact::RefundReversed {
                attempt: attempt("co_1"),
                refund: refund("r1"),
                amount: None,
            }),
        ),
    ] {
        check(Provider::CoinbaseBusiness, &checkout(kind), fact, Some(7));
    }
}

#[test]
fn tebex() {
    let body = |kind: &str| {
        json!({ "id": "w1", "type": kind, "date": "2026-11-23T10:00:00+00:00",
        "subject": { "transaction_id": "tbx-1", "price": { "amount": 1.99, "currency": "USD" }, "custom": { "order_id": 7 } } })
    };
    for (kind, fact) in [
        ("payment.completed", Some(paid("tbx-1", 199, "USD"))),
        (
            "payment.declined",
            Some(Fact::PaymentFailed {
                attempt: attempt("tbx-1"),
            }),
        ),
        (
            "payment.refunded",
            Some(Fact::Refunded {
                attempt: attempt("tbx-1"),
                refund: None,
                amount: Refunded::Whole,
            }),
        ),
        (
            "payment.dispute.opened",
            Some(disputed("tbx-1", DisputeState::Opened)),
        ),
        (
            "payment.dispute.won",
            Some(disputed("tbx-1", DisputeState::Won)),
        ),
        (
            "payment.dispute.lost",
            Some(disputed("tbx-1", DisputeState::Lost)),
        ),
    ] {
        check(Provider::Tebex, &body(kind), fact, Some(7));
    }
    let validation = json!({ "id": "v1", "type": "validation.webhook", "subject": {} });
    assert_eq!(event(Provider::Tebex, &validation).fact, None);
}

#[test]
fn any_sender_of_standard_webhooks() {
    let settings = SourceSettings {
        mapping: [
            ("payment.succeeded".to_owned(), Meaning::Paid),
            ("payment.refunded".to_owned(), Meaning::Refunded),
        ]
        .into(),
        fields: Some(StandardFields {
            kind: "/type".to_owned(),
            order_id: Some("/data/metadata/order_id".to_owned()),
            attempt_id: "/data/id".to_owned(),
            amount: Some("/data/total".to_owned()),
            amount_unit: AmountUnit::Decimal,
            currency: Some("/data/currency".to_owned()),
            refund_id: Some("/data/refund".to_owned()),
            occurred_at: Some("/timestamp".to_owned()),
        }),
        ..SourceSettings::default()
    };
    let body = |kind: &str| {
        json!({ "type": kind, "timestamp": "2026-11-23T10:00:00Z",
        "data": { "id": "p1", "total": "1.99", "currency": "usd", "metadata": { "order_id": "7" }, "refund": "r1" } })
    };
    let told = |kind: &str| {
        events(Provider::Standard, &settings, &body(kind))
            .expect("readable")
            .remove(0)
    };
    let event = told("payment.succeeded");
    assert_eq!(event.fact, Some(paid("p1", 199, "USD")));
    assert_eq!(event.dedup_key.as_deref(), Some("msg_1"));
    assert!(event.occurred_at.is_some());
    assert_eq!(
        told("payment.refunded").fact,
        Some(part("r1", "p1", 199, "USD"))
    );
    assert_eq!(told("subscription.created").subject, Subject::Unknown);
    assert_eq!(settings.check(Provider::Standard), Ok(()));
    assert!(settings.check(Provider::Stripe).is_err());
    assert!(SourceSettings::default().check(Provider::Standard).is_err());
    assert!(SourceSettings::default().check(Provider::Paypal).is_err());
}

#[test]
fn nothing_that_comes_makes_a_reader_fall_over() {
    let bodies = [
        "",
        "null",
        "[]",
        "{}",
        "1",
        "\"x\"",
        "{\"data\":null}",
        "{\"type\":1}",
        "{\"event\":[]}",
        "{\"id\":{},\"type\":{},\"data\":{\"object\":[]}}",
        "{\"notificationItems\":[{}]}",
        "{\"meta\":{\"event_name\":\"order_created\"}}",
        "{\"event_type\":\"PAYMENT.CAPTURE.REFUNDED\",\"resource\":{\"links\":{}},\"id\":\"x\"}",
        "{\"id\":\"e\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"object\":\"payment_intent\",\"id\":\"p\",\"amount_received\":-1,\"currency\":\"usd\"}}}",
        "{\"id\":\"e\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"object\":\"payment_intent\",\"id\":\"p\",\"amount_received\":99999999999999999999,\"currency\":\"usd\"}}}",
    ];
    for provider in Provider::ALL {
        for body in bodies {
            let request = Request {
                headers: &[],
                body: body.as_bytes(),
            };
            let project = ProjectId::new(1).expect("id");
            let read = read(
                provider,
                request,
                project,
                &SourceSettings::default(),
                "hash",
            );
            let paid = read
                .iter()
                .flatten()
                .any(|event| matches!(event.fact, Some(Fact::Paid { .. })));
            assert!(!paid, "{provider:?} {body}");
        }
    }
}
