//! Every word of Paddle Billing.

use super::{
    bodies::event,
    rows::{
        answered, check_rows, check_table, disputed, failed, money, paid, part, paths, pending,
        questions, reversed, row, unreadable, with,
    },
};
use ordercast_core::provider::{Provider, Subject};
use serde_json::{Value, json};

fn body(kind: &str, data: Value) -> Value {
    json!({ "event_id": "evt_1", "event_type": kind, "occurred_at": "2026-11-23T10:00:00.000000Z",
        "notification_id": "ntf_1", "data": data })
}

fn usd(minor: i64) -> Value {
    money(minor, "USD")
}

fn transaction() -> Value {
    json!({ "id": "txn_1", "status": "completed", "origin": "web", "currency_code": "USD",
        "custom_data": { "order_id": "7" },
        "details": { "totals": { "subtotal": "180", "tax": "19", "total": "199", "credit": "150", "grand_total": "49" } } })
}

fn free() -> Value {
    with(
        transaction(),
        json!({ "details": { "totals": { "total": "0", "grand_total": "0" } } }),
    )
}

fn adjustment(action: &str, status: &str) -> Value {
    json!({ "id": "adj_1", "action": action, "status": status, "transaction_id": "txn_1",
        "currency_code": "USD", "totals": { "total": "50" } })
}

#[test]
fn every_word() {
    let on = |kind: &'static str, data: Value, fact: Value| row(kind, body(kind, data), fact);
    let said = |word: &'static str, data: Value, fact: Value| {
        let kind = word.split_once(':').map_or(word, |(kind, _)| kind);
        row(word, body(kind, data), fact)
    };
    let adjusted = |word: &'static str, action: &str, status: &str, fact: Value| {
        row(
            word,
            body("adjustment.updated", adjustment(action, status)),
            fact,
        )
    };
    // The buyer had 1.50 of credit at Paddle: the order has brought in its price all the same.
    let bought = || with(paid("txn_1", usd(199)), json!({ "total": usd(199) }));
    let renewal = |origin: &str| with(transaction(), json!({ "origin": origin }));
    let nothing_due = || json!({ "fact": "nothing_due", "attempt": "txn_1" });
    let not_back = || reversed("adj_1", "txn_1", usd(50));
    let state = |state: &str| disputed("adj_1", "txn_1", state, usd(50));
    let unnamed = |state: &str| json!({ "fact": "disputed", "attempt": "txn_1", "state": state, "amount": usd(50) });
    check_table(
        Provider::Paddle,
        &[
            on("transaction.created", transaction(), Value::Null),
            on("transaction.ready", transaction(), Value::Null),
            on("transaction.updated", transaction(), Value::Null),
            on("transaction.revised", transaction(), Value::Null),
            on("transaction.billed", transaction(), pending("txn_1")),
            on("transaction.past_due", transaction(), Value::Null),
            on("transaction.payment_failed", transaction(), failed("txn_1")),
            on("transaction.canceled", transaction(), failed("txn_1")),
            on("transaction.paid", transaction(), bought()),
            on("transaction.completed", transaction(), bought()),
            said("transaction.paid:free", free(), nothing_due()),
            said("transaction.completed:free", free(), nothing_due()),
            said(
                "transaction.paid:renewal",
                renewal("subscription_recurring"),
                Value::Null,
            ),
            said(
                "transaction.completed:renewal",
                renewal("subscription_charge"),
                Value::Null,
            ),
            said(
                "transaction.completed:renewal",
                renewal("subscription_update"),
                Value::Null,
            ),
            on("transaction.completed", renewal("api"), bought()),
            adjusted(
                "adjustment.refund:approved",
                "refund",
                "approved",
                part("adj_1", "txn_1", usd(50)),
            ),
            adjusted(
                "adjustment.refund:pending_approval",
                "refund",
                "pending_approval",
                Value::Null,
            ),
            adjusted(
                "adjustment.refund:rejected",
                "refund",
                "rejected",
                not_back(),
            ),
            adjusted(
                "adjustment.refund:reversed",
                "refund",
                "reversed",
                not_back(),
            ),
            adjusted(
                "adjustment.credit:approved",
                "credit",
                "approved",
                Value::Null,
            ),
            adjusted(
                "adjustment.credit_reverse:approved",
                "credit_reverse",
                "approved",
                Value::Null,
            ),
            adjusted(
                "adjustment.chargeback_warning:approved",
                "chargeback_warning",
                "approved",
                unnamed("inquiry"),
            ),
            adjusted(
                "adjustment.chargeback_warning_reverse:approved",
                "chargeback_warning_reverse",
                "approved",
                unnamed("expired"),
            ),
            adjusted(
                "adjustment.chargeback:approved",
                "chargeback",
                "approved",
                state("lost"),
            ),
            adjusted(
                "adjustment.chargeback:reversed",
                "chargeback",
                "reversed",
                state("won"),
            ),
            adjusted(
                "adjustment.chargeback_reverse:approved",
                "chargeback_reverse",
                "approved",
                unnamed("won"),
            ),
        ],
    );
}

#[test]
fn a_word_that_is_not_in_the_table_is_kept_and_nothing_is_guessed() {
    for body in [
        body("transaction.haggled", transaction()),
        body("adjustment.updated", adjustment("refund", "half_approved")),
        body("adjustment.created", adjustment("gift", "approved")),
        body("subscription.created", json!({ "id": "sub_1" })),
    ] {
        let event = event(Provider::Paddle, &body);
        assert_eq!(
            (event.subject, event.fact),
            (Subject::Unknown, None),
            "{body}"
        );
    }
}

#[test]
fn amounts_that_are_no_clean_money_are_unreadable() {
    for (total, currency, fact) in [
        (
            json!("500"),
            json!("JPY"),
            part("adj_1", "txn_1", money(500, "JPY")),
        ),
        (
            json!("400.0"),
            json!("USD"),
            part("adj_1", "txn_1", usd(400)),
        ),
        (json!(400), json!("USD"), part("adj_1", "txn_1", usd(400))),
        (
            json!("2.505"),
            json!("USD"),
            unreadable("txn_1", "refund", "2.505 USD"),
        ),
        (
            json!("-400"),
            json!("USD"),
            unreadable("txn_1", "refund", "-400 USD"),
        ),
        (
            json!("400"),
            Value::Null,
            unreadable("txn_1", "refund", "400 in no currency"),
        ),
        (
            Value::Null,
            json!("USD"),
            unreadable("txn_1", "refund", "no amount"),
        ),
    ] {
        let told = json!({ "totals": { "total": total }, "currency_code": currency });
        let body = body(
            "adjustment.updated",
            with(adjustment("refund", "approved"), told),
        );
        check_rows(
            Provider::Paddle,
            &[row("adjustment.refund:approved", body, fact)],
        );
    }
}

/// A later payment of a subscription carries the number of the first one's order; what comes of it later
/// is not that order's either.
#[test]
fn a_renewal_is_not_the_order_that_it_names() {
    let renewal = with(
        transaction(),
        json!({ "id": "txn_2", "origin": "subscription_recurring" }),
    );
    let event = event(Provider::Paddle, &body("transaction.completed", renewal));
    assert!(
        matches!(event.subject, Subject::Foreign { .. }),
        "{event:?}"
    );
}

#[test]
fn a_transaction_that_is_asked_about_tells_what_went_back_first() {
    let bought = || with(paid("txn_1", usd(199)), json!({ "total": usd(199) }));
    let refunded = with(
        transaction(),
        json!({ "adjustments": [adjustment("refund", "approved")] }),
    );
    let facts = [part("adj_1", "txn_1", usd(50)), bought()];
    let asked = questions(Provider::Paddle, &["txn_1"], "");
    assert_eq!(paths(&asked), ["/transactions/txn_1?include=adjustments"]);
    assert_eq!(
        answered(Provider::Paddle, &asked[0], &json!({ "data": refunded })).0,
        facts
    );

    // Of none it has been heard: the list is looked through, page by page, but not for ever.
    let list = "/transactions?include=adjustments&status=paid,completed&per_page=30\
        &order_by=created_at%5BASC%5D&created_at%5BGTE%5D=2023-11-14T22%3A13%3A20Z";
    let mut asked = questions(Provider::Paddle, &[], "");
    assert_eq!(paths(&asked), [list]);
    let other = with(transaction(), json!({ "id": "txn_0", "custom_data": null }));
    let meta = json!({ "pagination": { "has_more": true } });
    let found = json!({ "data": [other, refunded], "meta": meta });
    let (there, next) = answered(Provider::Paddle, &asked[0], &found);
    assert_eq!((there, next.len()), (facts.to_vec(), 0));
    let more = json!({ "data": [other], "meta": meta });
    for _ in 0..3 {
        let (none, next) = answered(Provider::Paddle, &asked[0], &more);
        assert!(none.is_empty());
        assert_eq!(paths(&next), [format!("{list}&after=txn_0")]);
        asked = next;
    }
    assert!(answered(Provider::Paddle, &asked[0], &more).1.is_empty());
}

#[test]
fn what_is_no_signing_secret_is_refused() {
    for (secret, is_accepted) in [
        ("pdl_ntfset_01hv0vaj6rgavrdz8e7xnsvp6h_nrPp", true),
        ("pdl_live_apikey_01gtgztp8f4kek3yd4g1wrksa3", false),
        ("pdl_sdbx_apikey_01gtgztp8f4kek3yd4g1wrksa3", false),
        ("ntfset_01hv0vaj6rgavrdz8e7xnsvp6h", false),
    ] {
        assert_eq!(
            Provider::Paddle.check_secret(secret).is_ok(),
            is_accepted,
            "{secret}"
        );
    }
}
