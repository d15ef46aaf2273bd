//! Where providers surprise: what the tables of the contract say in a clause, and what is easily
//! mistaken for something else.

use crate::bodies::{attempt, check, event, events, money, named_dispute, paid};
use ordercast_core::{
    order::{DisputeState, Fact, Refunded},
    provider::{Event, Meaning, Provider, SourceSettings, Subject, mollie_payment},
};
use serde_json::{Value, json};

fn failed(id: &str) -> Fact {
    Fact::PaymentFailed {
        attempt: attempt(id),
    }
}

fn adyen_item(code: &str, psp: &str, amount: Value) -> Value {
    json!({ "NotificationRequestItem": { "eventCode": code, "success": "true", "pspReference": psp,
        "merchantReference": "7", "amount": amount } })
}

#[test]
fn an_item_of_a_batch_that_cannot_be_read_takes_nothing_from_the_others() {
    let good = json!({ "value": 199, "currency": "EUR" });
    let batch = json!({ "live": "false", "notificationItems": [
        adyen_item("AUTHORISATION", "A", Value::Null),
        { "NotificationRequestItem": { "eventCode": "AUTHORISATION", "pspReference": "B" } },
        adyen_item("AUTHORISATION", "C", good.clone()),
        adyen_item("NEW_WORD", "D", good),
    ] });
    let read = events(Provider::Adyen, &SourceSettings::default(), &batch).expect("readable");
    let subjects: Vec<_> = read.iter().map(|event| &event.subject).collect();
    assert!(matches!(subjects[0], Subject::Unreadable(_)), "{read:?}");
    assert!(matches!(subjects[1], Subject::Unreadable(_)), "{read:?}");
    assert_eq!(read[2].fact, Some(paid("C", 199, "EUR")));
    assert_eq!(subjects[3], &Subject::Unknown);
}

#[test]
fn webhooks_of_adyens_other_products_are_kept_by_their_type() {
    let body = json!({ "type": "balancePlatform.transfer.created", "id": "E1", "data": {} });
    let event = event(Provider::Adyen, &body);
    assert_eq!(event.subject, Subject::Unknown);
    assert_eq!(event.dedup_key.as_deref(), Some("E1"));
}

#[test]
fn paypal_names_the_order_of_an_approval_that_is_taken_back() {
    let body = json!({ "id": "WH-2", "event_type": "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
        "resource": { "order_id": "ORDER1", "purchase_units": [{ "custom_id": "7" }] } });
    check(Provider::Paypal, &body, Some(failed("ORDER1")), Some(7));
}

#[test]
fn a_question_about_a_payment_moves_no_money() {
    let paypal = |kind: &str, stage: &str| {
        json!({ "id": "WH-1", "event_type": kind, "resource": { "dispute_id": "PP-D-1",
        "dispute_life_cycle_stage": stage, "disputed_transactions": [{ "seller_transaction_id": "CAP1", "custom": "7" }] } })
    };
    let created = "CUSTOMER.DISPUTE.CREATED";
    let updated = "CUSTOMER.DISPUTE.UPDATED";
    for (kind, stage, fact) in [
        (created, "INQUIRY", Some(DisputeState::Inquiry)),
        (created, "CHARGEBACK", Some(DisputeState::Opened)),
        (updated, "CHARGEBACK", Some(DisputeState::Opened)),
        (updated, "INQUIRY", None),
    ] {
        let fact = fact.map(|state| named_dispute("CAP1", "PP-D-1", state));
        check(Provider::Paypal, &paypal(kind, stage), fact, Some(7));
    }
    let razorpay = |phase: &str| {
        json!({ "event": "payment.dispute.created", "payload": {
        "dispute": { "entity": { "id": "disp_1", "payment_id": "pay_1", "phase": phase } } } })
    };
    for (phase, state) in [
        ("retrieval", DisputeState::Inquiry),
        ("chargeback", DisputeState::Opened),
    ] {
        let fact = Some(named_dispute("pay_1", "disp_1", state));
        check(Provider::Razorpay, &razorpay(phase), fact, None);
    }
}

fn mollie(payment: &Value) -> Vec<Event> {
    let settings = SourceSettings::default();
    mollie_payment(payment.to_string().as_bytes(), &settings).expect("readable")
}

#[test]
fn mollies_states_have_times_of_their_own() {
    let at = |status: &str| {
        let payment = json!({ "id": "tr_1", "status": status, "amount": { "value": "1.99", "currency": "EUR" },
            "metadata": { "order_id": 7 }, "createdAt": "2026-11-23T10:00:00Z",
            "authorizedAt": "2026-11-23T10:01:00Z", "canceledAt": "2026-11-23T10:02:00Z" });
        mollie(&payment)[0].occurred_at
    };
    assert!(at("canceled") > at("authorized"));
    assert!(at("authorized") > at("open"));
}

#[test]
fn a_known_word_about_no_payment_is_not_unknown() {
    let validation = json!({ "id": "v1", "type": "validation.webhook", "subject": {} });
    let subject = event(Provider::Tebex, &validation).subject;
    assert_eq!(subject, Subject::Nothing);
}

#[test]
fn the_references_words_may_be_mapped_too() {
    let body = json!({ "notification_type": "ps_declined", "transaction": { "id": 42 } });
    let settings = SourceSettings {
        mapping: [("ps_declined".to_owned(), Meaning::Ignore)].into(),
        ..SourceSettings::default()
    };
    let of = |settings: &SourceSettings| {
        events(Provider::Reference, settings, &body)
            .expect("readable")
            .remove(0)
            .fact
    };
    assert_eq!(of(&settings), None);
    assert_eq!(of(&SourceSettings::default()), Some(failed("42")));
}

/// Each provider's way of writing an amount, in currencies with none, two and three places.
#[test]
fn amounts_in_currencies_of_other_places() {
    let stripe = |minor: i64, currency: &str| {
        json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": {
        "object": "payment_intent", "id": "p", "amount_received": minor, "currency": currency, "metadata": { "order_id": "7" } } } })
    };
    let adyen = |minor: i64, currency: &str| json!({ "notificationItems": [adyen_item("AUTHORISATION", "p", json!({ "value": minor, "currency": currency }))] });
    let paypal = |amount: &str, currency: &str| {
        json!({ "id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {
        "id": "p", "custom_id": "7", "amount": { "value": amount, "currency_code": currency } } })
    };
    let lemon = |minor: i64, currency: &str| {
        json!({ "meta": { "event_name": "order_created", "custom_data": { "order_id": "7" } },
        "data": { "id": "p", "attributes": { "status": "paid", "total": minor, "currency": currency } } })
    };
    let razorpay = |minor: i64, currency: &str| {
        json!({ "event": "payment.captured", "payload": { "payment": { "entity": {
        "id": "p", "amount": minor, "currency": currency, "notes": { "order_id": "7" } } } } })
    };
    let tebex = |amount: Value, currency: &str| {
        json!({ "id": "w", "type": "payment.completed", "subject": { "transaction_id": "p",
        "price": { "amount": amount, "currency": currency }, "custom": { "order_id": 7 } } })
    };
    let commerce = |amount: &str, currency: &str| {
        json!({ "event": { "id": "e", "type": "charge:confirmed", "data": { "code": "p",
        "metadata": { "order_id": "7" }, "pricing": { "local": { "amount": amount, "currency": currency } } } } })
    };
    let business = |amount: &str, currency: &str| {
        json!({ "eventId": "e", "eventType": "checkout.payment.success", "data": {
        "id": "p", "metadata": { "order_id": "7" }, "amount": amount, "currency": currency } })
    };
    let reference = |amount: Value, currency: &str| {
        json!({ "notification_type": "order_paid", "order": {
        "id": 7, "invoice_id": "p", "amount": amount, "currency": currency } })
    };
    for (provider, body, minor, currency) in [
        (Provider::Stripe, stripe(500, "jpy"), 500, "JPY"),
        (Provider::Stripe, stripe(5_120, "kwd"), 5_120, "KWD"),
        (Provider::Stripe, stripe(50_000, "ugx"), 500, "UGX"),
        // Stripe counts whole ariary, ISO 4217 hundredths.
        (Provider::Stripe, stripe(500, "mga"), 50_000, "MGA"),
        (Provider::Adyen, adyen(500, "JPY"), 500, "JPY"),
        (Provider::Adyen, adyen(5_120, "KWD"), 5_120, "KWD"),
        (Provider::Adyen, adyen(50_000, "ISK"), 500, "ISK"),
        (Provider::Adyen, adyen(500, "IDR"), 50_000, "IDR"),
        (Provider::Paypal, paypal("500", "JPY"), 500, "JPY"),
        (Provider::Paypal, paypal("5.12", "KWD"), 5_120, "KWD"),
        (Provider::Paypal, paypal("500", "HUF"), 50_000, "HUF"),
        (Provider::LemonSqueezy, lemon(500, "JPY"), 500, "JPY"),
        (Provider::Razorpay, razorpay(500, "JPY"), 500, "JPY"),
        (Provider::Razorpay, razorpay(5_120, "KWD"), 5_120, "KWD"),
        (Provider::Tebex, tebex(json!(500), "JPY"), 500, "JPY"),
        (Provider::Tebex, tebex(json!(500.0), "JPY"), 500, "JPY"),
        (Provider::Tebex, tebex(json!(5.12), "KWD"), 5_120, "KWD"),
        (
            Provider::CoinbaseCommerce,
            commerce("500", "JPY"),
            500,
            "JPY",
        ),
        (
            Provider::CoinbaseCommerce,
            commerce("5.120", "KWD"),
            5_120,
            "KWD",
        ),
        (
            Provider::CoinbaseBusiness,
            business("5.12", "KWD"),
            5_120,
            "KWD",
        ),
        (
            Provider::Reference,
            reference(json!("500.0000"), "JPY"),
            500,
            "JPY",
        ),
        (
            Provider::Reference,
            reference(json!("5.1200"), "KWD"),
            5_120,
            "KWD",
        ),
    ] {
        check(provider, &body, Some(paid("p", minor, currency)), Some(7));
    }
    // What cannot be in such a currency is not rounded.
    let half_a_yen = event(Provider::Paypal, &paypal("0.50", "JPY"));
    assert!(matches!(half_a_yen.fact, Some(Fact::Unreadable { .. })));
}

#[test]
fn a_partial_refund_of_stripe_is_keyed_by_its_id_or_by_the_sum() {
    let body = |event: &str, kind: &str, object: Value| json!({ "id": event, "type": kind, "data": { "object": object } });
    let charge = |sum: i64| json!({ "object": "charge", "id": "ch_1", "payment_intent": "pi_1", "amount_refunded": sum, "currency": "usd" });
    let total = |sum: i64| Fact::Refunded {
        attempt: attempt("pi_1"),
        refund: None,
        amount: Refunded::Total(money(sum, "USD")),
    };
    check(
        Provider::Stripe,
        &body("e1", "charge.refunded", charge(50)),
        Some(total(50)),
        None,
    );
    check(
        Provider::Stripe,
        &body("e2", "charge.refunded", charge(120)),
        Some(total(120)),
        None,
    );
}
