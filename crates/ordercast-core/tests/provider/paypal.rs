//! Every word of PayPal, and which transmissions are fresh.

use super::{
    bodies::event,
    rows::{
        answered, authorized, check_rows, check_table, disputed, failed, money, paid, part, paths,
        pending, questions, reversed, row, unreadable, with,
    },
};
use ordercast_core::{
    Timestamp,
    order::Mode,
    provider::{Provider, Request, Subject, Unverified, is_paypals_name, paypal_transmission},
};
use serde_json::{Value, json};

fn body(kind: &str, resource: Value) -> Value {
    json!({ "id": "WH-1", "event_type": kind, "create_time": "2026-11-23T10:00:00Z", "resource": resource })
}

fn usd(minor: i64) -> Value {
    money(minor, "USD")
}

fn capture() -> Value {
    json!({ "id": "CAP1", "status": "COMPLETED", "custom_id": "7",
        "amount": { "value": "1.99", "currency_code": "USD" },
        "links": [{ "rel": "self", "href": "https://api.paypal.com/v2/payments/captures/CAP1" },
                  { "rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/ORDER1" }] })
}

fn refund() -> Value {
    json!({ "id": "REF1", "status": "COMPLETED", "custom_id": "7",
        "amount": { "value": "0.50", "currency_code": "USD" },
        "links": [{ "rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF1" },
                  { "rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1" }] })
}

fn dispute(more: Value) -> Value {
    let dispute = json!({ "dispute_id": "PP-D-1", "dispute_amount": { "value": "1.99", "currency_code": "USD" },
        "disputed_transactions": [{ "seller_transaction_id": "CAP1", "custom": "7" }] });
    with(dispute, more)
}

fn outcome(code: &str) -> Value {
    dispute(json!({ "dispute_outcome": { "outcome_code": code } }))
}

fn stage(stage: &str) -> Value {
    dispute(json!({ "dispute_life_cycle_stage": stage }))
}

#[test]
fn every_word() {
    let order = || json!({ "id": "ORDER1", "purchase_units": [{ "custom_id": "7" }] });
    let on =
        |kind: &'static str, resource: Value, fact: Value| row(kind, body(kind, resource), fact);
    let said = |word: &'static str, resource: Value, fact: Value| {
        let kind = word.split_once(':').map_or(word, |(kind, _)| kind);
        row(word, body(kind, resource), fact)
    };
    let state = |state: &str| disputed("PP-D-1", "CAP1", state, usd(199));
    let taken = |amount: Value| json!({ "fact": "disputed", "attempt": "CAP1", "state": "lost", "amount": amount });
    check_table(
        Provider::Paypal,
        &[
            on("CHECKOUT.ORDER.APPROVED", order(), pending("ORDER1")),
            on("CHECKOUT.ORDER.SAVED", order(), Value::Null),
            on("CHECKOUT.ORDER.PROCESSED", order(), Value::Null),
            on("CHECKOUT.ORDER.COMPLETED", order(), Value::Null),
            on("CHECKOUT.ORDER.DECLINED", order(), failed("ORDER1")),
            on("CHECKOUT.ORDER.VOIDED", order(), failed("ORDER1")),
            on(
                "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
                json!({ "order_id": "ORDER1", "purchase_units": [{ "custom_id": "7" }] }),
                failed("ORDER1"),
            ),
            on(
                "PAYMENT.AUTHORIZATION.CREATED",
                capture(),
                authorized("CAP1"),
            ),
            on("PAYMENT.AUTHORIZATION.VOIDED", capture(), failed("CAP1")),
            on("PAYMENT.CAPTURE.PENDING", capture(), pending("CAP1")),
            on(
                "PAYMENT.CAPTURE.COMPLETED",
                capture(),
                paid("CAP1", usd(199)),
            ),
            on("PAYMENT.CAPTURE.DECLINED", capture(), failed("CAP1")),
            on("PAYMENT.CAPTURE.DENIED", capture(), failed("CAP1")),
            on(
                "PAYMENT.CAPTURE.REFUNDED",
                refund(),
                part("REF1", "CAP1", usd(50)),
            ),
            // The capture stands there instead of the refund: whether all of it went back is told.
            on(
                "PAYMENT.CAPTURE.REFUNDED",
                with(capture(), json!({ "status": "REFUNDED" })),
                json!({ "fact": "refunded", "attempt": "CAP1", "amount": "whole" }),
            ),
            on(
                "PAYMENT.CAPTURE.REFUNDED",
                with(capture(), json!({ "status": "PARTIALLY_REFUNDED" })),
                unreadable(
                    "CAP1",
                    "refund",
                    "a capture of status PARTIALLY_REFUNDED, without its refunds",
                ),
            ),
            on("PAYMENT.CAPTURE.REVERSED", refund(), taken(usd(50))),
            on(
                "PAYMENT.CAPTURE.REVERSED",
                with(capture(), json!({ "status": "REVERSED" })),
                json!({ "fact": "disputed", "attempt": "CAP1", "state": "lost" }),
            ),
            on("PAYMENT.REFUND.PENDING", refund(), Value::Null),
            on(
                "PAYMENT.REFUND.FAILED",
                refund(),
                reversed("REF1", "CAP1", usd(50)),
            ),
            on("RISK.DISPUTE.CREATED", dispute(json!({})), state("opened")),
            said(
                "CUSTOMER.DISPUTE.CREATED:INQUIRY",
                stage("INQUIRY"),
                state("inquiry"),
            ),
            said(
                "CUSTOMER.DISPUTE.CREATED:CHARGEBACK",
                stage("CHARGEBACK"),
                state("opened"),
            ),
            said(
                "CUSTOMER.DISPUTE.CREATED",
                dispute(json!({})),
                state("opened"),
            ),
            said(
                "CUSTOMER.DISPUTE.UPDATED:INQUIRY",
                stage("INQUIRY"),
                Value::Null,
            ),
            said(
                "CUSTOMER.DISPUTE.UPDATED:CHARGEBACK",
                stage("CHARGEBACK"),
                state("opened"),
            ),
            said(
                "CUSTOMER.DISPUTE.UPDATED:PRE_ARBITRATION",
                stage("PRE_ARBITRATION"),
                state("opened"),
            ),
            said(
                "CUSTOMER.DISPUTE.UPDATED:ARBITRATION",
                stage("ARBITRATION"),
                state("opened"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_BUYER_FAVOUR",
                outcome("RESOLVED_BUYER_FAVOUR"),
                state("lost"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:ACCEPTED",
                outcome("ACCEPTED"),
                state("accepted"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_SELLER_FAVOUR",
                outcome("RESOLVED_SELLER_FAVOUR"),
                state("won"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:CANCELED_BY_BUYER",
                outcome("CANCELED_BY_BUYER"),
                state("won"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:DENIED",
                outcome("DENIED"),
                state("won"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_WITH_PAYOUT",
                outcome("RESOLVED_WITH_PAYOUT"),
                state("expired"),
            ),
            said(
                "CUSTOMER.DISPUTE.RESOLVED:NONE",
                outcome("NONE"),
                state("expired"),
            ),
        ],
    );
}

#[test]
fn a_word_that_is_not_in_the_table_is_kept_and_nothing_is_guessed() {
    for body in [
        body("PAYMENT.SALE.COMPLETED", json!({ "id": "SALE1" })),
        body("CUSTOMER.DISPUTE.RESOLVED", outcome("RESOLVED_BY_DUEL")),
        body("CUSTOMER.DISPUTE.RESOLVED", dispute(json!({}))),
    ] {
        let event = event(Provider::Paypal, &body);
        assert_eq!(
            (event.subject, event.fact),
            (Subject::Unknown, None),
            "{body}"
        );
    }
}

#[test]
fn what_went_back_to_the_buyer_is_what_a_lost_dispute_cost() {
    let lost = |more: Value| {
        body(
            "CUSTOMER.DISPUTE.RESOLVED",
            with(outcome("RESOLVED_BUYER_FAVOUR"), more),
        )
    };
    let word = "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_BUYER_FAVOUR";
    let partly = json!({ "dispute_outcome": { "outcome_code": "RESOLVED_BUYER_FAVOUR",
        "amount_refunded": { "value": "0.75", "currency_code": "USD" } } });
    let two = json!({ "disputed_transactions": [
        { "seller_transaction_id": "CAP1", "custom": "7" }, { "seller_transaction_id": "CAP2" }] });
    check_rows(
        Provider::Paypal,
        &[
            row(
                word,
                lost(partly),
                disputed("PP-D-1", "CAP1", "lost", usd(75)),
            ),
            row(
                word,
                lost(two),
                unreadable("CAP1", "dispute", "1.99 USD of 2 payments"),
            ),
        ],
    );
}

#[test]
fn amounts_that_are_no_clean_money_are_unreadable() {
    for (value, currency, told) in [
        (json!("2.505"), json!("USD"), "2.505 USD"),
        (json!("-2.50"), json!("USD"), "-2.50 USD"),
        (json!("2.50"), json!("USDT"), "2.50 USDT"),
        (json!("2.50"), Value::Null, "2.50 in no currency"),
        (json!("1e3"), json!("USD"), "1e3 USD"),
        (
            json!("99999999999999999999"),
            json!("USD"),
            "99999999999999999999 USD",
        ),
    ] {
        let amount = json!({ "amount": { "value": value, "currency_code": currency } });
        let back = body("PAYMENT.CAPTURE.REFUNDED", with(refund(), amount));
        check_rows(
            Provider::Paypal,
            &[row(
                "PAYMENT.CAPTURE.REFUNDED",
                back,
                unreadable("CAP1", "refund", told),
            )],
        );
    }
}

#[test]
fn test_money_says_so_by_the_host_of_its_links() {
    for (host, mode) in [
        ("https://api.sandbox.paypal.com/v2", Some(Mode::Sandbox)),
        ("https://api-m.sandbox.paypal.com/v2", Some(Mode::Sandbox)),
        ("https://api.paypal.com/v2", Some(Mode::Default)),
        ("https://sandbox.paypal.com.evil.example/v2", None),
        ("http://api.sandbox.paypal.com/v2", None),
    ] {
        let links = json!({ "links": [{ "rel": "self", "href": host }] });
        let body = body("PAYMENT.CAPTURE.COMPLETED", with(capture(), links));
        assert_eq!(event(Provider::Paypal, &body).mode, mode, "{host}");
    }
}

#[test]
fn a_transmission_is_good_for_three_days() {
    let made_at = 1_795_420_800; // 2026-11-23T08:00:00Z
    let headers = [
        ("paypal-transmission-id", "T-1"),
        ("paypal-transmission-time", "2026-11-23T08:00:00Z"),
        ("paypal-transmission-sig", "AAAA"),
        ("paypal-cert-url", "https://api.paypal.com/cert"),
        ("paypal-auth-algo", "SHA256withRSA"),
    ];
    let request = Request {
        headers: &headers,
        body: b"{}",
    };
    let transmission = paypal_transmission(request, "WH-1").expect("complete");
    let day = 86_400;
    for (seconds, is_fresh) in [
        (0, true),
        (3 * day, true),
        (3 * day + 301, false),
        (365 * day, false),
        (-300, true),
        (-301, false),
    ] {
        let now = Timestamp::from_seconds(made_at + seconds);
        let expected = if is_fresh {
            Ok(())
        } else {
            Err(Unverified::Stale { seconds })
        };
        assert_eq!(transmission.check_fresh(now), expected, "{seconds}");
    }
    let mut without_time = headers;
    without_time[1].1 = "yesterday";
    let request = Request {
        headers: &without_time,
        body: b"{}",
    };
    assert!(paypal_transmission(request, "WH-1").is_err());
}

#[test]
fn a_certificate_is_paypals_by_its_name() {
    for (name, is_theirs) in [
        ("messageverificationcerts.paypal.com", true),
        ("messageverificationcerts.sandbox.paypal.com", true),
        ("MessageVerificationCerts.PayPal.com", true),
        ("paypal.com", true),
        ("evilpaypal.com", false),
        ("paypal.com.evil.example", false),
        ("shop.example", false),
        ("", false),
    ] {
        assert_eq!(is_paypals_name(name), is_theirs, "{name}");
    }
}

/// An order's refunds stand beside its captures, and are told first.
#[test]
fn an_order_that_is_asked_about_tells_what_went_back_first() {
    let asked = questions(Provider::Paypal, &["ORDER1", "../x"], "client");
    assert_eq!(
        paths(&asked),
        ["/v2/checkout/orders/ORDER1", "/v2/payments/captures/ORDER1"]
    );
    let unnamed = |resource: Value| with(resource, json!({ "custom_id": null }));
    let order = json!({ "id": "ORDER1", "status": "COMPLETED", "purchase_units": [{ "custom_id": "7",
        "payments": { "captures": [unnamed(capture())], "refunds": [unnamed(refund())] } }] });
    let facts = [part("REF1", "CAP1", usd(50)), paid("CAP1", usd(199))];
    assert_eq!(answered(Provider::Paypal, &asked[0], &order).0, facts);

    assert_eq!(
        answered(Provider::Paypal, &asked[1], &capture()).0,
        [paid("CAP1", usd(199))]
    );
    let pending_one = with(capture(), json!({ "status": "PENDING" }));
    assert_eq!(
        answered(Provider::Paypal, &asked[1], &pending_one).0,
        [pending("CAP1")]
    );
    // Whether there were refunds is told by the capture, which by its order.
    let related = json!({ "supplementary_data": { "related_ids": { "order_id": "ORDER1" } } });
    for (status, without_order) in [
        (
            "REFUNDED",
            json!({ "fact": "refunded", "attempt": "CAP1", "amount": "whole" }),
        ),
        (
            "PARTIALLY_REFUNDED",
            unreadable("CAP1", "refund", "partially refunded"),
        ),
    ] {
        let capture = with(capture(), json!({ "status": status }));
        let (facts, next) = answered(
            Provider::Paypal,
            &asked[1],
            &with(capture.clone(), related.clone()),
        );
        assert_eq!(
            (facts, paths(&next)),
            (Vec::new(), vec!["/v2/checkout/orders/ORDER1"])
        );
        let (facts, _) = answered(Provider::Paypal, &asked[1], &capture);
        assert_eq!(facts, [without_order, paid("CAP1", usd(199))]);
    }
}
