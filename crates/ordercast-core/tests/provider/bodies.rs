//! What each provider's bodies mean: one row a meaning, as they document them.

use ordercast_core::{
    ProjectId,
    ids::{AttemptId, RefundId},
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

pub fn disputed_part(id: &str, state: DisputeState, amount: Money) -> Fact {
    Fact::Disputed {
        attempt: attempt(id),
        state,
        amount: Some(amount),
        dispute: None,
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
fn stripe() {
    let body = |kind: &str, object: Value| json!({ "id": "evt_1", "type": kind, "created": 1_700_000_000, "data": { "object": object } });
    let intent = |more: Value| {
        let mut object = json!({ "object": "payment_intent", "id": "pi_1", "amount_received": 199, "currency": "usd", "metadata": { "order_id": "7" } });
        object
            .as_object_mut()
            .expect("object")
            .extend(more.as_object().expect("object").clone());
        object
    };
    let session = |status: &str| json!({ "object": "checkout.session", "id": "cs_1", "payment_intent": "pi_1", "payment_status": status, "amount_total": 199, "currency": "usd", "client_reference_id": "7" });
    let charge = json!({ "object": "charge", "id": "ch_1", "payment_intent": "pi_1", "amount_captured": 199, "amount_refunded": 50, "currency": "usd", "metadata": {} });
    let re = |status: &str| json!({ "object": "refund", "id": "re_1", "payment_intent": "pi_1", "amount": 50, "currency": "usd", "status": status });
    let dispute = |status: &str| json!({ "object": "dispute", "id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1", "amount": 199, "currency": "usd", "status": status });
    let pending = Fact::PaymentPending {
        attempt: attempt("pi_1"),
    };
    let failed = Fact::PaymentFailed {
        attempt: attempt("pi_1"),
    };
    let reversed = Fact::RefundReversed {
        attempt: attempt("pi_1"),
        refund: refund("re_1"),
        amount: Some(money(50, "USD")),
    };
    for (kind, object, fact, order) in [
        (
            "payment_intent.succeeded",
            intent(json!({})),
            Some(paid("pi_1", 199, "USD")),
            Some(7),
        ),
        ("payment_intent.created", intent(json!({})), None, Some(7)),
        (
            "payment_intent.processing",
            intent(json!({})),
            Some(pending.clone()),
            Some(7),
        ),
        (
            "payment_intent.payment_failed",
            intent(json!({})),
            Some(failed.clone()),
            Some(7),
        ),
        (
            "payment_intent.canceled",
            intent(json!({})),
            Some(failed.clone()),
            Some(7),
        ),
        (
            "checkout.session.completed",
            session("paid"),
            Some(paid("pi_1", 199, "USD")),
            Some(7),
        ),
        (
            "checkout.session.completed",
            session("unpaid"),
            Some(pending),
            Some(7),
        ),
        (
            "checkout.session.completed",
            session("no_payment_required"),
            None,
            Some(7),
        ),
        (
            "checkout.session.async_payment_succeeded",
            session("paid"),
            Some(paid("pi_1", 199, "USD")),
            Some(7),
        ),
        (
            "checkout.session.async_payment_failed",
            session("unpaid"),
            Some(failed),
            Some(7),
        ),
        // Cumulative, and without an order of its own.
        (
            "charge.refunded",
            charge,
            Some(Fact::Refunded {
                attempt: attempt("pi_1"),
                refund: None,
                amount: Refunded::Total(money(50, "USD")),
            }),
            None,
        ),
        (
            "refund.created",
            re("succeeded"),
            Some(part("re_1", "pi_1", 50, "USD")),
            None,
        ),
        ("refund.created", re("pending"), None, None),
        ("refund.updated", re("failed"), Some(reversed.clone()), None),
        ("refund.failed", re("failed"), Some(reversed), None),
        (
            "charge.dispute.created",
            dispute("needs_response"),
            Some(disputed_part(
                "pi_1",
                DisputeState::Opened,
                money(199, "USD"),
            )),
            None,
        ),
        (
            "charge.dispute.created",
            dispute("warning_needs_response"),
            Some(disputed_part(
                "pi_1",
                DisputeState::Inquiry,
                money(199, "USD"),
            )),
            None,
        ),
        (
            "charge.dispute.closed",
            dispute("won"),
            Some(disputed_part("pi_1", DisputeState::Won, money(199, "USD"))),
            None,
        ),
        (
            "charge.dispute.closed",
            dispute("lost"),
            Some(disputed_part("pi_1", DisputeState::Lost, money(199, "USD"))),
            None,
        ),
        (
            "charge.dispute.closed",
            dispute("warning_closed"),
            Some(disputed_part(
                "pi_1",
                DisputeState::Expired,
                money(199, "USD"),
            )),
            None,
        ),
    ] {
        check(Provider::Stripe, &body(kind, object), fact, order);
    }
    let unknown = event(
        Provider::Stripe,
        &body("invoice.paid", json!({ "object": "invoice" })),
    );
    assert_eq!((unknown.subject, unknown.fact), (Subject::Unknown, None));
    // Two places, though ISO 4217 has none.
    let krona = intent(json!({ "amount_received": 50_000, "currency": "isk" }));
    check(
        Provider::Stripe,
        &body("payment_intent.succeeded", krona),
        Some(paid("pi_1", 500, "ISK")),
        Some(7),
    );
    let yen = intent(json!({ "amount_received": 500, "currency": "jpy" }));
    check(
        Provider::Stripe,
        &body("payment_intent.succeeded", yen),
        Some(paid("pi_1", 500, "JPY")),
        Some(7),
    );
}

#[test]
fn adyen() {
    let item = |code: &str, success: &str, psp: &str, original: &str| {
        json!({ "NotificationRequestItem": {
            "eventCode": code, "success": success, "pspReference": psp, "originalReference": original,
            "merchantReference": "7", "amount": { "value": 199, "currency": "EUR" },
            "eventDate": "2026-11-23T10:00:00+01:00" } })
    };
    let one = |item: Value| json!({ "live": "false", "notificationItems": [item] });
    for (code, success, fact) in [
        ("AUTHORISATION", "true", Some(paid("A", 199, "EUR"))),
        (
            "AUTHORISATION",
            "false",
            Some(Fact::PaymentFailed {
                attempt: attempt("A"),
            }),
        ),
        (
            "PENDING",
            "true",
            Some(Fact::PaymentPending {
                attempt: attempt("A"),
            }),
        ),
        (
            "OFFER_CLOSED",
            "true",
            Some(Fact::PaymentFailed {
                attempt: attempt("A"),
            }),
        ),
        ("REPORT_AVAILABLE", "true", None),
    ] {
        check(
            Provider::Adyen,
            &one(item(code, success, "A", "")),
            fact,
            Some(7),
        );
    }
    for (code, success, fact) in [
        ("CAPTURE", "true", Some(paid("A", 199, "EUR"))),
        (
            "CAPTURE_FAILED",
            "true",
            Some(Fact::PaymentFailed {
                attempt: attempt("A"),
            }),
        ),
        ("REFUND", "true", Some(part("B", "A", 199, "EUR"))),
        (
            "REFUND",
            "false",
            Some(Fact::RefundReversed {
                attempt: attempt("A"),
                refund: refund("B"),
                amount: Some(money(199, "EUR")),
            }),
        ),
        (
            "REFUND_FAILED",
            "true",
            Some(Fact::RefundReversed {
                attempt: attempt("A"),
                refund: refund("B"),
                amount: Some(money(199, "EUR")),
            }),
        ),
        (
            "CANCEL_OR_REFUND",
            "true",
            Some(Fact::Refunded {
                attempt: attempt("A"),
                refund: refund("B"),
                amount: Refunded::Whole,
            }),
        ),
        (
            "REQUEST_FOR_INFORMATION",
            "true",
            Some(disputed_part("A", DisputeState::Inquiry, money(199, "EUR"))),
        ),
        (
            "NOTIFICATION_OF_CHARGEBACK",
            "true",
            Some(disputed_part("A", DisputeState::Opened, money(199, "EUR"))),
        ),
        (
            "CHARGEBACK",
            "true",
            Some(disputed_part("A", DisputeState::Lost, money(199, "EUR"))),
        ),
        (
            "CHARGEBACK_REVERSED",
            "true",
            Some(disputed_part("A", DisputeState::Won, money(199, "EUR"))),
        ),
    ] {
        check(
            Provider::Adyen,
            &one(item(code, success, "B", "A")),
            fact,
            Some(7),
        );
    }
    let two = json!({ "notificationItems": [item("AUTHORISATION", "true", "A", ""), item("CAPTURE", "true", "B", "A")] });
    let two = events(Provider::Adyen, &SourceSettings::default(), &two).expect("readable");
    assert_eq!(two.len(), 2);
    assert_ne!(two[0].dedup_key, two[1].dedup_key);
    assert!(two[0].occurred_at.is_some());
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
fn paypal() {
    let body = |kind: &str, resource: Value| json!({ "id": "WH-1", "event_type": kind, "create_time": "2026-11-23T10:00:00Z", "resource": resource });
    let capture = json!({ "id": "CAP1", "custom_id": "7", "amount": { "value": "1.99", "currency_code": "USD" } });
    let back = json!({ "id": "REF1", "custom_id": "7", "amount": { "value": "0.50", "currency_code": "USD" },
        "links": [{ "rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF1" },
                  { "rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1" }] });
    let dispute = |outcome: &str| json!({ "dispute_id": "PP-D-1", "disputed_transactions": [{ "seller_transaction_id": "CAP1", "custom": "7" }], "dispute_outcome": { "outcome_code": outcome } });
    let order = json!({ "id": "ORDER1", "purchase_units": [{ "custom_id": "7" }] });
    for (kind, resource, fact) in [
        (
            "PAYMENT.CAPTURE.COMPLETED",
            capture.clone(),
            Some(paid("CAP1", 199, "USD")),
        ),
        (
            "PAYMENT.CAPTURE.PENDING",
            capture.clone(),
            Some(Fact::PaymentPending {
                attempt: attempt("CAP1"),
            }),
        ),
        (
            "PAYMENT.CAPTURE.DENIED",
            capture.clone(),
            Some(Fact::PaymentFailed {
                attempt: attempt("CAP1"),
            }),
        ),
        (
            "PAYMENT.CAPTURE.DECLINED",
            capture,
            Some(Fact::PaymentFailed {
                attempt: attempt("CAP1"),
            }),
        ),
        // The buyer agreed; nothing is paid.
        (
            "CHECKOUT.ORDER.APPROVED",
            order,
            Some(Fact::PaymentPending {
                attempt: attempt("ORDER1"),
            }),
        ),
        (
            "PAYMENT.CAPTURE.REFUNDED",
            back.clone(),
            Some(part("REF1", "CAP1", 50, "USD")),
        ),
        (
            "PAYMENT.CAPTURE.REVERSED",
            back,
            Some(disputed_part("CAP1", DisputeState::Lost, money(50, "USD"))),
        ),
        (
            "CUSTOMER.DISPUTE.CREATED",
            dispute(""),
            Some(disputed("CAP1", DisputeState::Opened)),
        ),
        (
            "CUSTOMER.DISPUTE.RESOLVED",
            dispute("RESOLVED_BUYER_FAVOUR"),
            Some(disputed("CAP1", DisputeState::Lost)),
        ),
        (
            "CUSTOMER.DISPUTE.RESOLVED",
            dispute("RESOLVED_SELLER_FAVOUR"),
            Some(disputed("CAP1", DisputeState::Won)),
        ),
    ] {
        check(Provider::Paypal, &body(kind, resource), fact, Some(7));
    }
}

#[test]
fn paddle() {
    let body = |kind: &str, data: Value| json!({ "event_id": "evt_1", "event_type": kind, "occurred_at": "2026-11-23T10:00:00Z", "data": data });
    let transaction = json!({ "id": "txn_1", "custom_data": { "order_id": 7 }, "currency_code": "USD", "details": { "totals": { "grand_total": "199" } } });
    let adjustment = |action: &str, status: &str| json!({ "id": "adj_1", "action": action, "status": status, "transaction_id": "txn_1", "currency_code": "USD", "totals": { "total": "50" } });
    for (kind, data, fact, order) in [
        (
            "transaction.paid",
            transaction.clone(),
            Some(paid("txn_1", 199, "USD")),
            Some(7),
        ),
        (
            "transaction.completed",
            transaction.clone(),
            Some(paid("txn_1", 199, "USD")),
            Some(7),
        ),
        (
            "transaction.billed",
            transaction.clone(),
            Some(Fact::PaymentPending {
                attempt: attempt("txn_1"),
            }),
            Some(7),
        ),
        (
            "transaction.payment_failed",
            transaction.clone(),
            Some(Fact::PaymentFailed {
                attempt: attempt("txn_1"),
            }),
            Some(7),
        ),
        ("transaction.created", transaction, None, Some(7)),
        (
            "adjustment.created",
            adjustment("refund", "pending_approval"),
            None,
            None,
        ),
        (
            "adjustment.updated",
            adjustment("refund", "approved"),
            Some(part("adj_1", "txn_1", 50, "USD")),
            None,
        ),
        (
            "adjustment.updated",
            adjustment("refund", "rejected"),
            Some(Fact::RefundReversed {
                attempt: attempt("txn_1"),
                refund: refund("adj_1"),
                amount: Some(money(50, "USD")),
            }),
            None,
        ),
        (
            "adjustment.created",
            adjustment("chargeback", "approved"),
            Some(disputed_part("txn_1", DisputeState::Lost, money(50, "USD"))),
            None,
        ),
        (
            "adjustment.created",
            adjustment("chargeback_reverse", "approved"),
            Some(disputed_part("txn_1", DisputeState::Won, money(50, "USD"))),
            None,
        ),
    ] {
        check(Provider::Paddle, &body(kind, data), fact, order);
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
fn razorpay() {
    let body = |kind: &str, payload: Value| json!({ "event": kind, "payload": payload, "created_at": 1_700_000_000 });
    let payment = json!({ "payment": { "entity": { "id": "pay_1", "amount": 199, "currency": "INR", "notes": { "order_id": "7" } } } });
    let back = json!({ "refund": { "entity": { "id": "rfnd_1", "payment_id": "pay_1", "amount": 50, "currency": "INR" } } });
    let dispute = json!({ "dispute": { "entity": { "id": "disp_1", "payment_id": "pay_1" } } });
    for (kind, payload, fact, order) in [
        (
            "payment.authorized",
            payment.clone(),
            Some(Fact::PaymentAuthorized {
                attempt: attempt("pay_1"),
            }),
            Some(7),
        ),
        (
            "payment.captured",
            payment.clone(),
            Some(paid("pay_1", 199, "INR")),
            Some(7),
        ),
        (
            "order.paid",
            payment.clone(),
            Some(paid("pay_1", 199, "INR")),
            Some(7),
        ),
        (
            "payment.failed",
            payment,
            Some(Fact::PaymentFailed {
                attempt: attempt("pay_1"),
            }),
            Some(7),
        ),
        ("refund.created", back.clone(), None, None),
        (
            "refund.processed",
            back.clone(),
            Some(part("rfnd_1", "pay_1", 50, "INR")),
            None,
        ),
        (
            "refund.failed",
            back,
            Some(Fact::RefundReversed {
                attempt: attempt("pay_1"),
                refund: refund("rfnd_1"),
                amount: Some(money(50, "INR")),
            }),
            None,
        ),
        (
            "payment.dispute.created",
            dispute.clone(),
            Some(disputed("pay_1", DisputeState::Opened)),
            None,
        ),
        (
            "payment.dispute.won",
            dispute.clone(),
            Some(disputed("pay_1", DisputeState::Won)),
            None,
        ),
        (
            "payment.dispute.lost",
            dispute,
            Some(disputed("pay_1", DisputeState::Lost)),
            None,
        ),
    ] {
        check(Provider::Razorpay, &body(kind, payload), fact, order);
    }
    let captured = body("payment.captured", json!({}));
    let unreadable = event(Provider::Razorpay, &captured).subject;
    assert!(matches!(unreadable, Subject::Unreadable(_)));
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
