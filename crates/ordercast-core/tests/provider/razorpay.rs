//! Every word of Razorpay.

use super::{
    bodies::event,
    rows::{
        answered, authorized, check_rows, check_table, disputed, failed, money, paid, part, paths,
        pending, questions, reversed, row, unreadable, with,
    },
};
use ordercast_core::{
    order::Mode,
    provider::{Provider, SourceSettings, Subject},
};
use serde_json::{Value, json};

fn inr(minor: i64) -> Value {
    money(minor, "INR")
}

fn payment() -> Value {
    json!({ "id": "pay_1", "amount": 19_900, "currency": "INR", "captured": true, "notes": { "order_id": "7" } })
}

fn refund() -> Value {
    json!({ "id": "rfnd_1", "payment_id": "pay_1", "amount": 5_000, "currency": "INR", "notes": [] })
}

fn dispute(phase: &str, deducted: i64) -> Value {
    json!({ "id": "disp_1", "payment_id": "pay_1", "amount": 19_900, "currency": "INR",
        "amount_deducted": deducted, "phase": phase })
}

fn body(kind: &str, entities: &[(&str, Value)]) -> Value {
    let payload: serde_json::Map<_, _> = entities
        .iter()
        .map(|(name, entity)| ((*name).to_owned(), json!({ "entity": entity })))
        .collect();
    json!({ "entity": "event", "event": kind, "payload": payload, "created_at": 1_700_000_000 })
}

#[test]
fn every_word() {
    let said = |word: &'static str, entities: &[(&str, Value)], fact: Value| {
        let kind = word.split_once(':').map_or(word, |(kind, _)| kind);
        row(word, body(kind, entities), fact)
    };
    let bought = || paid("pay_1", inr(19_900));
    let asked = |total: i64| with(bought(), json!({ "total": inr(total) }));
    let paying = [("payment", payment())];
    let order = [
        ("payment", payment()),
        (
            "order",
            json!({ "id": "order_1", "amount": 19_900, "currency": "INR", "notes": [] }),
        ),
    ];
    let link = [
        ("payment", with(payment(), json!({ "notes": [] }))),
        (
            "payment_link",
            json!({ "id": "plink_1", "amount": 30_000, "currency": "INR", "notes": { "order_id": "7" } }),
        ),
    ];
    let gone = [(
        "payment_link",
        json!({ "id": "plink_1", "amount": 30_000, "currency": "INR" }),
    )];
    let back = [("refund", refund()), ("payment", payment())];
    let uncaptured = [
        ("refund", refund()),
        ("payment", with(payment(), json!({ "captured": false }))),
    ];
    let bank = |phase: &str, deducted: i64| {
        [
            ("dispute", dispute(phase, deducted)),
            ("payment", payment()),
        ]
    };
    let state = |state: &str| disputed("disp_1", "pay_1", state, inr(19_900));
    check_table(
        Provider::Razorpay,
        &[
            said("payment.pending", &paying, pending("pay_1")),
            said("payment.authorized", &paying, authorized("pay_1")),
            said("payment.captured", &paying, bought()),
            said("payment.failed", &paying, failed("pay_1")),
            said("order.paid", &order, asked(19_900)),
            said("payment_link.paid", &link, asked(30_000)),
            said("payment_link.partially_paid", &link, asked(30_000)),
            said("payment_link.expired", &gone, Value::Null),
            said("payment_link.cancelled", &gone, Value::Null),
            said("refund.created", &back, Value::Null),
            said(
                "refund.processed",
                &back,
                part("rfnd_1", "pay_1", inr(5_000)),
            ),
            said("refund.processed:uncaptured", &uncaptured, failed("pay_1")),
            said(
                "refund.failed",
                &back,
                reversed("rfnd_1", "pay_1", inr(5_000)),
            ),
            said("refund.failed:uncaptured", &uncaptured, Value::Null),
            said("refund.speed_changed", &back, Value::Null),
            said("refund.arn_updated", &back, Value::Null),
            said(
                "payment.dispute.created:retrieval",
                &bank("retrieval", 0),
                state("inquiry"),
            ),
            said(
                "payment.dispute.created:chargeback",
                &bank("chargeback", 0),
                state("opened"),
            ),
            said(
                "payment.dispute.under_review",
                &bank("chargeback", 0),
                Value::Null,
            ),
            said(
                "payment.dispute.action_required",
                &bank("chargeback", 0),
                Value::Null,
            ),
            said("payment.dispute.won", &bank("chargeback", 0), state("won")),
            said(
                "payment.dispute.lost",
                &bank("chargeback", 19_900),
                state("lost"),
            ),
            // Less was taken than was disputed.
            said(
                "payment.dispute.lost",
                &bank("chargeback", 500),
                disputed("disp_1", "pay_1", "lost", inr(500)),
            ),
            said(
                "payment.dispute.closed",
                &bank("fraud", 0),
                state("expired"),
            ),
            said(
                "payment.dispute.closed:deducted",
                &bank("fraud", 19_900),
                state("lost"),
            ),
        ],
    );
}

#[test]
fn a_word_that_is_not_in_the_table_is_kept_and_nothing_is_guessed() {
    for kind in [
        "payment.teleported",
        "payment.dispute.drawn",
        "subscription.charged",
    ] {
        let event = event(Provider::Razorpay, &body(kind, &[("payment", payment())]));
        assert_eq!(
            (event.subject, event.fact),
            (Subject::Unknown, None),
            "{kind}"
        );
    }
}

#[test]
fn amounts_that_are_no_clean_money_are_unreadable() {
    for (amount, currency, fact) in [
        (
            json!(500),
            json!("JPY"),
            part("rfnd_1", "pay_1", money(500, "JPY")),
        ),
        (
            json!(400.0),
            json!("INR"),
            part("rfnd_1", "pay_1", inr(400)),
        ),
        (
            json!("400"),
            json!("inr"),
            part("rfnd_1", "pay_1", inr(400)),
        ),
        (
            json!(2.505),
            json!("INR"),
            unreadable("pay_1", "refund", "2.505 INR"),
        ),
        (
            json!(-400),
            json!("INR"),
            unreadable("pay_1", "refund", "-400 INR"),
        ),
        (
            json!(400),
            json!("RUPEES"),
            unreadable("pay_1", "refund", "400 RUPEES"),
        ),
        (
            Value::Null,
            json!("INR"),
            unreadable("pay_1", "refund", "no amount"),
        ),
    ] {
        let told = with(refund(), json!({ "amount": amount, "currency": currency }));
        let body = body(
            "refund.processed",
            &[("refund", told), ("payment", payment())],
        );
        check_rows(Provider::Razorpay, &[row("refund.processed", body, fact)]);
    }
}

#[test]
fn a_payment_that_is_asked_about_tells_what_went_back_first_and_its_mode_by_the_key() {
    let asked = questions(Provider::Razorpay, &["pay_1"], "rzp_test_1DP5mmOlF5G5ag");
    assert_eq!(paths(&asked), ["/v1/payments/pay_1"]);
    let whole = || paid("pay_1", inr(19_900));
    let total = |minor: i64| json!({ "fact": "refunded", "attempt": "pay_1", "amount": { "total": inr(minor) } });
    let answer = |status: &str, back: i64, is_captured: bool| {
        with(
            payment(),
            json!({ "status": status, "amount_refunded": back, "captured": is_captured }),
        )
    };
    for (payment, facts) in [
        (answer("captured", 0, true), vec![whole()]),
        (answer("captured", 5_000, true), vec![total(5_000), whole()]),
        (
            answer("refunded", 19_900, true),
            vec![total(19_900), whole()],
        ),
        // It was never captured, and went back by itself.
        (answer("refunded", 19_900, false), vec![failed("pay_1")]),
        (answer("failed", 0, false), vec![failed("pay_1")]),
        (answer("authorized", 0, false), vec![authorized("pay_1")]),
        (answer("created", 0, false), Vec::new()),
    ] {
        assert_eq!(
            answered(Provider::Razorpay, &asked[0], &payment).0,
            facts,
            "{payment}"
        );
    }
    let settings = SourceSettings::default();
    for (key, mode) in [
        ("rzp_test_x", Some(Mode::Sandbox)),
        ("rzp_live_x", Some(Mode::Default)),
        ("x", None),
    ] {
        let asked = questions(Provider::Razorpay, &[], key);
        assert_eq!(paths(&asked), ["/v1/payments?count=100&from=1700000000"]);
        let other = with(
            payment(),
            json!({ "id": "pay_0", "status": "captured", "notes": [] }),
        );
        let found = json!({ "items": [other, answer("captured", 0, true)] }).to_string();
        let answer = asked[0].answered(Provider::Razorpay, &settings, found.as_bytes());
        let readings = answer.expect("readable").readings;
        let modes: Vec<_> = readings
            .iter()
            .flat_map(|it| &it.events)
            .map(|it| it.mode)
            .collect();
        assert_eq!(modes, [mode]);
    }
}

#[test]
fn an_api_key_is_no_webhook_secret() {
    for (secret, is_accepted) in [
        ("a-word-of-the-shop", true),
        ("rzp_live_ABCDEFGHIJKLMN", false),
        ("rzp_test_ABCDEFGHIJKLMN", false),
    ] {
        assert_eq!(
            Provider::Razorpay.check_secret(secret).is_ok(),
            is_accepted,
            "{secret}"
        );
    }
}
