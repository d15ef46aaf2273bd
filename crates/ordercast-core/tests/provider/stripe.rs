//! Every word of Stripe, and what its figures mean.

use super::{
    bodies::event,
    rows::{
        Row, answered, authorized, check_rows, check_table, disputed, failed, money, paid, part,
        paths, pending, questions, reversed, row, unreadable, with,
    },
};
use ordercast_core::{
    Timestamp,
    order::Mode,
    provider::{Provider, SourceSettings, Subject},
};
use serde_json::{Value, json};

fn body(kind: &str, object: Value) -> Value {
    json!({ "id": "evt_1", "object": "event", "api_version": "2026-10-28.clover", "type": kind,
        "created": 1_700_000_000, "livemode": true, "data": { "object": object } })
}

fn usd(minor: i64) -> Value {
    money(minor, "USD")
}

fn intent() -> Value {
    json!({ "object": "payment_intent", "id": "pi_1", "amount": 199, "amount_received": 199,
        "currency": "usd", "metadata": { "order_id": "7" } })
}

fn session(status: &str) -> Value {
    json!({ "object": "checkout.session", "id": "cs_1", "mode": "payment", "payment_intent": "pi_1",
        "payment_status": status, "amount_total": 199, "currency": "usd", "client_reference_id": "7" })
}

fn free(status: &str) -> Value {
    with(
        session(status),
        json!({ "payment_intent": null, "amount_total": 0 }),
    )
}

fn charge() -> Value {
    json!({ "object": "charge", "id": "ch_1", "payment_intent": "pi_1", "amount": 199,
        "amount_captured": 199, "amount_refunded": 50, "captured": true, "refunded": false,
        "currency": "usd", "metadata": {} })
}

fn direct() -> Value {
    with(
        charge(),
        json!({ "payment_intent": null, "amount_refunded": 0 }),
    )
}

fn refund(status: &str) -> Value {
    json!({ "object": "refund", "id": "re_1", "payment_intent": "pi_1", "charge": "ch_1", "amount": 50,
        "currency": "usd", "status": status })
}

fn dispute(status: &str) -> Value {
    json!({ "object": "dispute", "id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1", "amount": 199,
        "currency": "usd", "status": status })
}

fn total(minor: i64) -> Value {
    json!({ "fact": "refunded", "attempt": "pi_1", "amount": { "total": usd(minor) } })
}

fn checkout(minor: i64) -> Value {
    with(paid("pi_1", usd(minor)), json!({ "total": usd(minor) }))
}

#[test]
fn every_word() {
    let on = |kind: &'static str, object: Value, fact: Value| row(kind, body(kind, object), fact);
    let said = |word: &'static str, object: Value, fact: Value| {
        let kind = word.split_once(':').map_or(word, |(kind, _)| kind);
        row(word, body(kind, object), fact)
    };
    let none = || Value::Null;
    let state = |state: &str| disputed("dp_1", "pi_1", state, usd(199));
    let back = || part("re_1", "pi_1", usd(50));
    let not_back = || reversed("re_1", "pi_1", usd(50));
    let mut rows = vec![
        on("payment_intent.created", intent(), none()),
        on("payment_intent.requires_action", intent(), pending("pi_1")),
        on("payment_intent.processing", intent(), pending("pi_1")),
        on("payment_intent.partially_funded", intent(), pending("pi_1")),
        on(
            "payment_intent.amount_capturable_updated",
            intent(),
            authorized("pi_1"),
        ),
        on("payment_intent.succeeded", intent(), paid("pi_1", usd(199))),
        on("payment_intent.payment_failed", intent(), failed("pi_1")),
        on("payment_intent.canceled", intent(), failed("pi_1")),
        said(
            "checkout.session.completed:paid",
            session("paid"),
            checkout(199),
        ),
        said(
            "checkout.session.completed:unpaid",
            session("unpaid"),
            pending("pi_1"),
        ),
        said(
            "checkout.session.completed:free",
            free("no_payment_required"),
            json!({ "fact": "nothing_due", "attempt": "cs_1" }),
        ),
        said(
            "checkout.session.completed:free",
            free("paid"),
            json!({ "fact": "nothing_due", "attempt": "cs_1" }),
        ),
        said(
            "checkout.session.completed:put_off",
            session("no_payment_required"),
            unreadable("pi_1", "payment", "no payment is required for 1.99 USD"),
        ),
        said(
            "checkout.session.completed:setup",
            with(
                free("no_payment_required"),
                json!({ "mode": "setup", "amount_total": null }),
            ),
            none(),
        ),
        on(
            "checkout.session.async_payment_succeeded",
            session("paid"),
            checkout(199),
        ),
        on(
            "checkout.session.async_payment_failed",
            session("unpaid"),
            failed("pi_1"),
        ),
        on(
            "checkout.session.expired",
            session("unpaid"),
            failed("pi_1"),
        ),
        on("charge.succeeded", charge(), none()),
        said("charge.succeeded:direct", direct(), paid("ch_1", usd(199))),
        said(
            "charge.succeeded:authorized",
            with(direct(), json!({ "captured": false, "amount_captured": 0 })),
            authorized("ch_1"),
        ),
        on("charge.captured", charge(), none()),
        said(
            "charge.captured:direct",
            with(direct(), json!({ "amount_captured": 100 })),
            paid("ch_1", usd(100)),
        ),
        on("charge.pending", charge(), pending("pi_1")),
        on("charge.updated", charge(), none()),
        on("charge.failed", charge(), failed("pi_1")),
        on("charge.expired", charge(), failed("pi_1")),
        // Cumulative, and without an order of its own.
        on("charge.refunded", charge(), total(50)),
        said(
            "charge.refunded:uncaptured",
            with(
                charge(),
                json!({ "captured": false, "amount_captured": null, "amount_refunded": 199 }),
            ),
            failed("pi_1"),
        ),
        on("refund.failed", refund("failed"), not_back()),
        said(
            "charge.dispute.created:warning",
            dispute("warning_needs_response"),
            state("inquiry"),
        ),
        said(
            "charge.dispute.created:needs_response",
            dispute("needs_response"),
            state("opened"),
        ),
        on("charge.dispute.updated", dispute("under_review"), none()),
        said(
            "charge.dispute.funds_withdrawn:needs_response",
            dispute("needs_response"),
            state("opened"),
        ),
        said(
            "charge.dispute.funds_reinstated:under_review",
            dispute("under_review"),
            none(),
        ),
        // An appeal that was won.
        said(
            "charge.dispute.funds_reinstated:won",
            dispute("won"),
            state("won"),
        ),
        said("charge.dispute.closed:won", dispute("won"), state("won")),
        said("charge.dispute.closed:lost", dispute("lost"), state("lost")),
        said(
            "charge.dispute.closed:warning",
            dispute("warning_closed"),
            state("expired"),
        ),
        said(
            "charge.dispute.closed:prevented",
            dispute("prevented"),
            state("expired"),
        ),
        said(
            "charge.dispute.closed:prevented_resolution",
            with(
                dispute("prevented"),
                json!({ "payment_method_details": { "card": { "case_type": "resolution" } } }),
            ),
            state("accepted"),
        ),
        said(
            "charge.dispute.closed:prevented_resolution",
            with(
                dispute("prevented"),
                json!({ "balance_transactions": [{ "amount": -199 }] }),
            ),
            state("accepted"),
        ),
        on(
            "review.opened",
            json!({ "object": "review", "payment_intent": "pi_1" }),
            none(),
        ),
        on(
            "review.closed",
            json!({ "object": "review", "payment_intent": "pi_1" }),
            none(),
        ),
        on(
            "radar.early_fraud_warning.created",
            json!({ "charge": "ch_1" }),
            none(),
        ),
        on(
            "radar.early_fraud_warning.updated",
            json!({ "charge": "ch_1" }),
            none(),
        ),
    ];
    for (words, kind) in [
        (
            [
                "refund.created:succeeded",
                "refund.created:failed",
                "refund.created:canceled",
                "refund.created:pending",
                "refund.created:requires_action",
                "refund.created:reversal",
            ],
            "refund.created",
        ),
        (
            [
                "refund.updated:succeeded",
                "refund.updated:failed",
                "refund.updated:canceled",
                "refund.updated:pending",
                "refund.updated:requires_action",
                "refund.updated:reversal",
            ],
            "refund.updated",
        ),
        (
            [
                "charge.refund.updated:succeeded",
                "charge.refund.updated:failed",
                "charge.refund.updated:canceled",
                "charge.refund.updated:pending",
                "charge.refund.updated:requires_action",
                "charge.refund.updated:reversal",
            ],
            "charge.refund.updated",
        ),
    ] {
        let facts = [back(), not_back(), not_back(), none(), none(), none()];
        let states = [
            "succeeded",
            "failed",
            "canceled",
            "pending",
            "requires_action",
            "succeeded",
        ];
        for ((word, fact), status) in words.into_iter().zip(facts).zip(states) {
            let mut body = body(kind, refund(status));
            if word.ends_with(":reversal") {
                body["api_version"] = json!("2024-12-18.acacia");
                let reversal = json!({ "type": "card", "card": { "type": "reversal" } });
                body["data"]["object"]["destination_details"] = reversal;
            }
            rows.push(row(word, body, fact));
        }
    }
    check_table(Provider::Stripe, &rows);
}

#[test]
fn a_word_that_is_not_in_the_table_is_kept_and_nothing_is_guessed() {
    for body in [
        body("invoice.paid", json!({ "object": "invoice" })),
        body("checkout.session.completed", session("paid_in_shells")),
        body("charge.dispute.closed", dispute("split")),
        body("refund.updated", refund("half_done")),
    ] {
        let event = event(Provider::Stripe, &body);
        assert_eq!(
            (event.subject, event.fact),
            (Subject::Unknown, None),
            "{body}"
        );
    }
}

/// Authorised 10.00, captured 5.00 of a 5.00 order: before version 2025-03-31 the rest comes as a refund.
#[test]
fn what_was_never_captured_is_not_given_back() {
    let old = Some("2024-12-18.acacia");
    let new = Some("2025-03-31.basil");
    let told = |sum: i64| {
        let told = format!(
            "{}.{:02} USD of 10.00 USD, of which 5.00 USD was captured",
            sum / 100,
            sum % 100
        );
        unreadable("pi_1", "refund", &told)
    };
    for (version, sum, all_back, fact) in [
        (old, 500, None, total(0)),
        (old, 500, Some(false), total(0)),
        // 2.00 of the 5.00, and all of them.
        (old, 700, Some(false), total(200)),
        (old, 1_000, Some(true), total(500)),
        (new, 200, Some(false), total(200)),
        (new, 500, Some(true), total(500)),
        // The capture was made in an older version than the webhook has.
        (new, 500, Some(false), total(0)),
        // Without a version the figures decide, or nobody does.
        (None, 200, None, total(200)),
        (None, 500, Some(false), total(0)),
        (None, 500, Some(true), total(500)),
        (None, 500, None, told(500)),
        (None, 700, None, told(700)),
    ] {
        let mut charge = with(
            charge(),
            json!({ "amount": 1_000, "amount_captured": 500, "amount_refunded": sum }),
        );
        charge["refunded"] = json!(all_back);
        let mut body = body("charge.refunded", charge);
        body["api_version"] = json!(version);
        check_rows(Provider::Stripe, &[row("charge.refunded", body, fact)]);
    }
    // The event of the capture itself says so.
    let charge = with(
        charge(),
        json!({ "amount": 1_000, "amount_captured": 500, "amount_refunded": 500 }),
    );
    let mut body = body("charge.refunded", charge);
    body["api_version"] = Value::Null;
    body["data"]["previous_attributes"] = json!({ "captured": false, "amount_captured": 0 });
    check_rows(Provider::Stripe, &[row("charge.refunded", body, total(0))]);
}

#[test]
fn test_money_says_so() {
    for (livemode, mode) in [
        (json!(true), Some(Mode::Default)),
        (json!(false), Some(Mode::Sandbox)),
        (Value::Null, None),
        (json!("maybe"), None),
    ] {
        let body = with(
            body("payment_intent.succeeded", intent()),
            json!({ "livemode": livemode }),
        );
        assert_eq!(event(Provider::Stripe, &body).mode, mode, "{livemode}");
    }
}

#[test]
fn amounts_are_read_in_stripes_places_or_said_to_be_unreadable() {
    let paid_in = |minor: Value, currency: Value| -> Row {
        let intent = with(
            intent(),
            json!({ "amount_received": minor, "currency": currency }),
        );
        let body = body("payment_intent.succeeded", intent);
        Row {
            word: "payment_intent.succeeded",
            fact: Value::Null,
            body,
        }
    };
    for (minor, currency, fact) in [
        (json!(50_000), json!("isk"), paid("pi_1", money(500, "ISK"))),
        (
            json!(50_001),
            json!("isk"),
            unreadable("pi_1", "payment", "50001 ISK"),
        ),
        (json!(50_000), json!("ugx"), paid("pi_1", money(500, "UGX"))),
        (json!(500), json!("mga"), paid("pi_1", money(50_000, "MGA"))),
        (json!(500), json!("jpy"), paid("pi_1", money(500, "JPY"))),
        (
            json!(1_230),
            json!("kwd"),
            paid("pi_1", money(1_230, "KWD")),
        ),
        (json!(199.0), json!("usd"), paid("pi_1", usd(199))),
        (json!("199"), json!("USD"), paid("pi_1", usd(199))),
        (
            json!(-199),
            json!("usd"),
            unreadable("pi_1", "payment", "-199 usd"),
        ),
        (
            json!(1.5),
            json!("usd"),
            unreadable("pi_1", "payment", "1.5 usd"),
        ),
        (
            json!(199),
            json!("doge"),
            unreadable("pi_1", "payment", "199 doge"),
        ),
        (
            json!(199),
            Value::Null,
            unreadable("pi_1", "payment", "199 in no currency"),
        ),
        (
            json!([199]),
            json!("usd"),
            unreadable("pi_1", "payment", "[199] usd"),
        ),
        (
            json!(9_999_999_999_999_999_i64),
            json!("usd"),
            unreadable("pi_1", "payment", "9999999999999999 usd"),
        ),
    ] {
        check_rows(
            Provider::Stripe,
            &[Row {
                fact,
                ..paid_in(minor, currency)
            }],
        );
    }
}

fn asked_intent(charge: Value) -> Value {
    with(
        intent(),
        json!({ "status": "succeeded", "livemode": true, "latest_charge": charge }),
    )
}

/// An intent stays `succeeded` when its money has gone back: that is told before, so that it pays nothing.
#[test]
fn an_intent_that_is_asked_about_tells_what_went_back_first() {
    let asked = questions(Provider::Stripe, &["pi_1", "cs_1", "no/path", "ch_1"], "");
    assert_eq!(
        paths(&asked),
        [
            "/v1/payment_intents/pi_1?expand%5B%5D=latest_charge",
            "/v1/checkout/sessions/cs_1",
            "/v1/payment_intents/search?limit=20&expand%5B%5D=data.latest_charge\
             &query=metadata%5B%27order_id%27%5D%3A%277%27",
        ]
    );
    let whole = || paid("pi_1", usd(199));
    let untouched = with(charge(), json!({ "amount_refunded": 0 }));
    let all_back = with(
        charge(),
        json!({ "amount_refunded": 199, "refunded": true }),
    );
    for (charge, facts) in [
        (untouched.clone(), vec![whole()]),
        (Value::Null, vec![whole()]),
        (charge(), vec![total(50), whole()]),
        (all_back, vec![total(199), whole()]),
    ] {
        let intent = asked_intent(charge);
        assert_eq!(answered(Provider::Stripe, &asked[0], &intent).0, facts);
        let found = json!({ "object": "search_result", "data": [intent] });
        assert_eq!(answered(Provider::Stripe, &asked[2], &found).0, facts);
    }
    let disputed_intent = asked_intent(with(untouched, json!({ "disputed": true })));
    let (_, next) = answered(Provider::Stripe, &asked[0], &disputed_intent);
    assert_eq!(paths(&next), ["/v1/disputes?limit=20&payment_intent=pi_1"]);
    let found = json!({ "object": "list", "data": [dispute("lost")] });
    let (facts, _) = answered(Provider::Stripe, &next[0], &found);
    assert_eq!(facts, [disputed("dp_1", "pi_1", "lost", usd(199))]);
    let session = with(session("paid"), json!({ "status": "complete" }));
    assert_eq!(
        answered(Provider::Stripe, &asked[1], &session).0,
        [checkout(199)]
    );
}

fn thin(kind: &str, object: &str, id: &str, url: &str) -> Value {
    json!({ "id": "evt_1", "object": "v2.core.event", "type": kind, "livemode": false,
        "created": "2026-11-23T10:00:00.000Z", "related_object": { "id": id, "type": object, "url": url } })
}

#[test]
fn a_thin_event_is_asked_for_at_the_address_that_is_made_here() {
    let (id, url) = ("pi_1", "/v1/payment_intents/pi_1");
    let event = thin("v1.payment_intent.succeeded", "payment_intent", id, url).to_string();
    let found = Provider::Stripe.thin(event.as_bytes()).expect("thin");
    assert_eq!(found.question.path(), url);
    assert_eq!(found.dedup_key.as_deref(), Some("evt_1"));
    let settings = SourceSettings::default();
    let answer = found
        .question
        .answered(Provider::Stripe, &settings, intent().to_string().as_bytes())
        .expect("readable");
    let event = &answer.readings[0].events[0];
    let fact = serde_json::to_value(&event.fact).expect("JSON");
    assert_eq!(fact, paid("pi_1", usd(199)));
    // As the snapshot event would be, with the event's own id, time and mode.
    assert_eq!(event.kind, "payment_intent.succeeded");
    assert_eq!(event.dedup_key.as_deref(), Some("evt_1"));
    assert_eq!(event.mode, Some(Mode::Sandbox));
    assert_eq!(
        event.occurred_at,
        Some(Timestamp::from_seconds(1_795_428_000))
    );
}

#[test]
fn a_thin_event_of_another_object_or_address_is_kept_and_not_asked_for() {
    let paid = "v1.payment_intent.succeeded";
    for (kind, object, id, url) in [
        (paid, "payment_intent", "pi_1", "/v1/payment_intents/pi_2"),
        (
            paid,
            "payment_intent",
            "pi_1",
            "https://evil.example/v1/payment_intents/pi_1",
        ),
        (
            paid,
            "payment_intent",
            "../balance",
            "/v1/payment_intents/../balance",
        ),
        (
            "v1.customer.created",
            "customer",
            "cus_1",
            "/v1/customers/cus_1",
        ),
        (
            "v2.core.account.updated",
            "v2.core.account",
            "acct_1",
            "/v2/core/accounts/acct_1",
        ),
    ] {
        let body = thin(kind, object, id, url);
        assert!(
            Provider::Stripe.thin(body.to_string().as_bytes()).is_none(),
            "{body}"
        );
        assert_eq!(
            event(Provider::Stripe, &body).subject,
            Subject::Unknown,
            "{body}"
        );
    }
}

#[test]
fn what_is_no_signing_secret_is_refused() {
    for (secret, is_accepted) in [
        ("whsec_C2FVsBQIhrscChlQIMV", true),
        ("sk_live_51HXXXXXXXXXX", false),
        ("rk_test_51HXXXXXXXXXX", false),
        ("pk_live_51HXXXXXXXXXX", false),
        ("we_1HXXXXXXXXXXXX", false),
    ] {
        assert_eq!(
            Provider::Stripe.check_secret(secret).is_ok(),
            is_accepted,
            "{secret}"
        );
    }
}
