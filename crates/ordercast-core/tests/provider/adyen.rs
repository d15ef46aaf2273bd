//! Every word of Adyen, and what counts of a body whose items are signed one by one.

use super::{
    bodies::{event, events},
    rows::{
        Row, check_rows, check_table, disputed, failed, money, paid, part, pending, reversed, row,
        unreadable, with,
    },
};
use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};
use ordercast_core::{
    Timestamp,
    order::Mode,
    provider::{Meaning, Provider, Request, SourceSettings, Subject, verify},
};
use serde_json::{Value, json};

const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

fn item(code: &str, success: &str) -> Value {
    json!({ "eventCode": code, "success": success, "pspReference": "B", "originalReference": "A",
        "merchantAccountCode": "Shop", "merchantReference": "7",
        "amount": { "value": 199, "currency": "EUR" }, "eventDate": "2026-11-23T10:00:00+01:00" })
}

/// Of a payment itself, not of what was done to it.
fn payment(code: &str, success: &str) -> Value {
    with(
        item(code, success),
        json!({ "pspReference": "A", "originalReference": "" }),
    )
}

fn body(items: &[Value]) -> Value {
    let items: Vec<_> = items
        .iter()
        .map(|item| json!({ "NotificationRequestItem": item }))
        .collect();
    json!({ "live": "true", "notificationItems": items })
}

fn signed(mut item: Value) -> Value {
    let field = |pointer: &str| match item.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let fields = [
        "/pspReference",
        "/originalReference",
        "/merchantAccountCode",
        "/merchantReference",
        "/amount/value",
        "/amount/currency",
        "/eventCode",
        "/success",
    ]
    .map(field);
    let key = HEXUPPER_PERMISSIVE.decode(KEY.as_bytes()).expect("hex");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signature = hmac::sign(&key, fields.join(":").as_bytes());
    item["additionalData"]["hmacSignature"] = json!(BASE64.encode(signature.as_ref()));
    item
}

fn eur(minor: i64) -> Value {
    money(minor, "EUR")
}

fn on(word: &'static str, item: Value, fact: Value) -> Row {
    row(word, body(&[signed(item)]), fact)
}

fn capture_failed(capture: Option<&str>) -> Value {
    let mut fact = json!({ "fact": "capture_failed", "attempt": "A", "amount": eur(199) });
    if let Some(capture) = capture {
        fact["capture"] = json!(capture);
    }
    fact
}

#[test]
fn every_word() {
    let captured = with(paid("A", eur(199)), json!({ "capture": "B" }));
    let whole = json!({ "fact": "refunded", "attempt": "A", "refund": "B", "amount": "whole" });
    let state = |state: &str| disputed("B", "A", state, eur(199));
    let cancel = with(
        item("CANCEL_OR_REFUND", "true"),
        json!({ "additionalData": { "modification.action": "cancel" } }),
    );
    let mut rows = vec![
        on(
            "AUTHORISATION:true",
            payment("AUTHORISATION", "true"),
            paid("A", eur(199)),
        ),
        on(
            "AUTHORISATION:false",
            payment("AUTHORISATION", "false"),
            failed("A"),
        ),
        on("PENDING:true", payment("PENDING", "true"), pending("A")),
        on(
            "OFFER_CLOSED:true",
            payment("OFFER_CLOSED", "true"),
            failed("A"),
        ),
        on("CAPTURE:true", item("CAPTURE", "true"), captured),
        on(
            "CAPTURE:false",
            item("CAPTURE", "false"),
            capture_failed(Some("B")),
        ),
        on(
            "CAPTURE_FAILED:true",
            item("CAPTURE_FAILED", "true"),
            capture_failed(Some("B")),
        ),
        on(
            "CAPTURE_FAILED:true",
            payment("CAPTURE_FAILED", "true"),
            capture_failed(None),
        ),
        on(
            "CANCELLATION:true",
            item("CANCELLATION", "true"),
            capture_failed(None),
        ),
        on(
            "CANCELLATION:false",
            item("CANCELLATION", "false"),
            Value::Null,
        ),
        on(
            "TECHNICAL_CANCEL:true",
            item("TECHNICAL_CANCEL", "true"),
            capture_failed(None),
        ),
        on(
            "TECHNICAL_CANCEL:false",
            item("TECHNICAL_CANCEL", "false"),
            Value::Null,
        ),
        on("CANCEL_OR_REFUND:cancel", cancel, capture_failed(None)),
        on(
            "CANCEL_OR_REFUND:true",
            item("CANCEL_OR_REFUND", "true"),
            whole,
        ),
        on(
            "CANCEL_OR_REFUND:false",
            item("CANCEL_OR_REFUND", "false"),
            Value::Null,
        ),
        on(
            "EXPIRE:true",
            payment("EXPIRE", "true"),
            capture_failed(None),
        ),
        on(
            "REFUND:true",
            item("REFUND", "true"),
            part("B", "A", eur(199)),
        ),
        on(
            "REFUND:false",
            item("REFUND", "false"),
            reversed("B", "A", eur(199)),
        ),
        on(
            "REFUND_FAILED:true",
            item("REFUND_FAILED", "true"),
            reversed("B", "A", eur(199)),
        ),
        on(
            "REFUNDED_REVERSED:true",
            item("REFUNDED_REVERSED", "true"),
            reversed("B", "A", eur(199)),
        ),
        on("CHARGEBACK:false", item("CHARGEBACK", "false"), Value::Null),
    ];
    for (word, code, dispute) in [
        (
            "REQUEST_FOR_INFORMATION:true",
            "REQUEST_FOR_INFORMATION",
            "inquiry",
        ),
        (
            "NOTIFICATION_OF_CHARGEBACK:true",
            "NOTIFICATION_OF_CHARGEBACK",
            "opened",
        ),
        ("CHARGEBACK:true", "CHARGEBACK", "lost"),
        ("CHARGEBACK_REVERSED:true", "CHARGEBACK_REVERSED", "won"),
        (
            "ISSUER_RESPONSE_TIMEFRAME_EXPIRED:true",
            "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
            "won",
        ),
        ("SECOND_CHARGEBACK:true", "SECOND_CHARGEBACK", "lost"),
        (
            "PREARBITRATION_ISSUER_WITHDRAWN:true",
            "PREARBITRATION_ISSUER_WITHDRAWN",
            "won",
        ),
        ("PREARBITRATION_WON:true", "PREARBITRATION_WON", "won"),
        ("PREARBITRATION_LOST:true", "PREARBITRATION_LOST", "lost"),
        (
            "SCHEME_ARBITRATION_WON:true",
            "SCHEME_ARBITRATION_WON",
            "won",
        ),
        (
            "SCHEME_ARBITRATION_LOST:true",
            "SCHEME_ARBITRATION_LOST",
            "lost",
        ),
    ] {
        rows.push(on(word, item(code, "true"), state(dispute)));
    }
    // Signed ones of kinds that move no money.
    for (code, meaning) in Provider::Adyen.mapping() {
        if *meaning == Meaning::Ignore && !code.contains(':') {
            let word: &'static str = format!("{code}:true").leak();
            rows.push(on(word, item(code, "true"), Value::Null));
        }
    }
    check_table(Provider::Adyen, &rows);
}

#[test]
fn a_word_that_is_not_in_the_table_is_kept_and_nothing_is_guessed() {
    for code in [
        "PREARBITRATION_ACCEPTED",
        "REFUND_WITH_DATA",
        "VOID_PENDING_REFUND",
        "TELEPORTED",
    ] {
        let event = event(Provider::Adyen, &body(&[signed(item(code, "true"))]));
        assert_eq!(
            (event.subject, event.fact),
            (Subject::Unknown, None),
            "{code}"
        );
    }
    let platform = json!({ "type": "balancePlatform.transfer.created", "id": "W1", "data": {} });
    assert_eq!(event(Provider::Adyen, &platform).subject, Subject::Unknown);
}

/// Where the account does not send the dispute's own reference, that of the payment stands there alone.
#[test]
fn a_dispute_without_a_reference_of_its_own_is_the_payments() {
    let lost = json!({ "fact": "disputed", "attempt": "A", "state": "lost", "amount": eur(199) });
    check_rows(
        Provider::Adyen,
        &[on("CHARGEBACK:true", payment("CHARGEBACK", "true"), lost)],
    );
}

#[test]
fn amounts_are_read_in_adyens_places_or_said_to_be_unreadable() {
    for (code, word, amount, fact) in [
        (
            "REFUND",
            "REFUND:true",
            (json!(50_000), json!("CLP")),
            part("B", "A", money(500, "CLP")),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!(50_001), json!("CLP")),
            unreadable("A", "refund", "50001 CLP"),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!(500), json!("IDR")),
            part("B", "A", money(50_000, "IDR")),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!(400.0), json!("EUR")),
            part("B", "A", eur(400)),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!("2.505"), json!("EUR")),
            unreadable("A", "refund", "2.505 EUR"),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!(-400), json!("EUR")),
            unreadable("A", "refund", "-400 EUR"),
        ),
        (
            "REFUND",
            "REFUND:true",
            (json!(400), Value::Null),
            unreadable("A", "refund", "400 in no currency"),
        ),
        (
            "CHARGEBACK",
            "CHARGEBACK:true",
            (json!(0), json!("EUR")),
            unreadable("A", "dispute", "0.00 EUR"),
        ),
        (
            "NOTIFICATION_OF_CHARGEBACK",
            "NOTIFICATION_OF_CHARGEBACK:true",
            (json!(0), json!("EUR")),
            json!({ "fact": "disputed", "attempt": "A", "state": "opened", "dispute": "B" }),
        ),
    ] {
        let amount = json!({ "amount": { "value": amount.0, "currency": amount.1 } });
        check_rows(
            Provider::Adyen,
            &[on(word, with(item(code, "true"), amount), fact)],
        );
    }
}

#[test]
fn test_money_says_so() {
    for (live, mode) in [
        (json!("false"), Some(Mode::Sandbox)),
        (json!(false), Some(Mode::Sandbox)),
        (json!("true"), Some(Mode::Default)),
        (Value::Null, None),
    ] {
        let body = with(
            body(&[signed(payment("AUTHORISATION", "true"))]),
            json!({ "live": live }),
        );
        assert_eq!(event(Provider::Adyen, &body).mode, mode, "{live}");
    }
}

/// After CAPTURE and CAPTURE_FAILED the second CAPTURE comes under the first one's reference.
#[test]
fn a_capture_that_succeeds_in_the_end_is_not_the_one_that_failed() {
    let first = signed(item("CAPTURE", "true"));
    let again = with(
        signed(item("CAPTURE", "true")),
        json!({ "reason": "Transaction Recaptured", "eventDate": "2026-11-24T10:00:00+01:00" }),
    );
    let key = |item: &Value| event(Provider::Adyen, &body(std::slice::from_ref(item))).dedup_key;
    assert_ne!(key(&first), key(&again));
    assert_eq!(key(&again), key(&again));
}

fn is_verified(headers: &[(&str, &str)], items: &[Value]) -> bool {
    let body = body(items).to_string();
    let request = Request {
        headers,
        body: body.as_bytes(),
    };
    verify(Provider::Adyen, request, &[KEY], Timestamp::from_millis(0)).is_ok()
}

#[test]
fn items_that_move_no_money_need_no_signature_and_take_none_from_the_others() {
    let report = || item("REPORT_AVAILABLE", "true");
    let paid = || signed(payment("AUTHORISATION", "true"));
    for (why, is_accepted, items) in [
        ("a report alone", true, vec![report()]),
        ("beside a signed payment", true, vec![report(), paid()]),
        (
            "an empty signature is none",
            true,
            vec![with(
                report(),
                json!({ "additionalData": { "hmacSignature": "" } }),
            )],
        ),
        (
            "a wrong one is wrong",
            false,
            vec![with(
                report(),
                json!({ "additionalData": { "hmacSignature": "AAAA" } }),
            )],
        ),
        ("a payment", false, vec![payment("AUTHORISATION", "true")]),
        (
            "a payment behind a report",
            false,
            vec![report(), payment("AUTHORISATION", "true")],
        ),
        (
            "a payment behind a payment",
            false,
            vec![paid(), payment("CAPTURE", "true")],
        ),
        (
            "a kind that nobody knows",
            false,
            vec![item("TELEPORTED", "true")],
        ),
        (
            "a refund that did not succeed",
            false,
            vec![item("CANCELLATION", "false")],
        ),
        ("nothing", false, Vec::new()),
    ] {
        assert_eq!(is_verified(&[], &items), is_accepted, "{why}");
    }
    // What is unsigned has no effect, whatever the source's mapping says, and takes no signed one's key.
    let settings = SourceSettings {
        mapping: [("REPORT_AVAILABLE".to_owned(), Meaning::Paid)].into(),
        ..SourceSettings::default()
    };
    let all = events(
        Provider::Adyen,
        &settings,
        &body(&[report(), paid(), signed(report())]),
    )
    .expect("readable");
    let facts: Vec<_> = all.iter().map(|event| event.fact.is_some()).collect();
    assert_eq!(facts, [false, true, true]);
    assert_ne!(all[0].dedup_key, all[2].dedup_key);
    assert_eq!(all[0].subject, Subject::Nothing);
}

#[test]
fn an_empty_header_leaves_it_to_the_items() {
    let paid = signed(payment("AUTHORISATION", "true"));
    for header in ["", "AAAA"] {
        assert!(is_verified(
            &[("hmacsignature", header)],
            std::slice::from_ref(&paid)
        ));
        assert!(!is_verified(
            &[("hmacsignature", header)],
            &[payment("AUTHORISATION", "true")]
        ));
    }
}

#[test]
fn what_is_no_key_is_refused_and_nothing_is_asked() {
    for (secret, is_accepted) in [
        (KEY, true),
        ("a-word-of-the-shop", false),
        ("0123456789abcdef", false),
    ] {
        assert_eq!(
            Provider::Adyen.check_secret(secret).is_ok(),
            is_accepted,
            "{secret}"
        );
    }
    assert_eq!(Provider::Adyen.api(), None);
}
