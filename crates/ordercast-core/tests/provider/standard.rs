use crate::said::said;
use ordercast_core::provider::{AmountUnit, Meaning, Provider, SourceSettings, StandardFields};
use serde_json::{Value, json};

fn settings(unit: AmountUnit) -> SourceSettings {
    let words = [
        ("paid", Meaning::Paid),
        ("captured", Meaning::Captured),
        ("refunded", Meaning::Refunded),
        ("refund.failed", Meaning::RefundReversed),
        ("dispute.lost", Meaning::DisputeLost),
    ];
    SourceSettings {
        mapping: words
            .map(|(word, meaning)| (word.to_owned(), meaning))
            .into(),
        fields: Some(StandardFields {
            kind: "/type".to_owned(),
            order_id: Some("/data/reference".to_owned()),
            attempt_id: "/data/id".to_owned(),
            amount: Some("/data/amount".to_owned()),
            amount_unit: unit,
            currency: Some("/data/currency".to_owned()),
            refund_id: Some("/data/refund".to_owned()),
            capture_id: Some("/data/capture".to_owned()),
            dispute_id: Some("/data/dispute".to_owned()),
            total: Some("/data/total".to_owned()),
            mode: Some("/livemode".to_owned()),
            occurred_at: Some("/at".to_owned()),
        }),
        ..SourceSettings::default()
    }
}

fn row(settings: &SourceSettings, kind: &str, data: Value, expected: &str) {
    let mut body = json!({ "type": kind, "livemode": true,
        "data": { "id": "p1", "reference": 7, "amount": "5.00", "currency": "USD" } });
    let (fields, more) = (body["data"].as_object_mut(), data.as_object().cloned());
    fields.expect("an object").extend(more.expect("an object"));
    assert_eq!(
        said(Provider::Standard, settings, &body),
        [expected],
        "{body}"
    );
}

#[test]
fn words_and_places_are_the_sources() {
    let settings = settings(AmountUnit::Decimal);
    row(&settings, "paid", json!({}), "7 p1: paid 5.00 USD, live");
    row(
        &settings,
        "captured",
        json!({ "capture": "c1" }),
        "7 p1: paid c1 5.00 USD, live",
    );
    row(
        &settings,
        "refunded",
        json!({ "refund": "r1" }),
        "7 p1: refund r1 5.00 USD, live",
    );
    row(
        &settings,
        "refund.failed",
        json!({ "refund": "r1" }),
        "7 p1: refund r1 reversed, live",
    );
    row(
        &settings,
        "dispute.lost",
        json!({ "dispute": "d1" }),
        "7 p1: dispute d1 lost 5.00 usd, live",
    );
    row(
        &settings,
        "paid",
        json!({ "reference": "{\"order_id\": 7}" }),
        "7 p1: paid 5.00 USD, live",
    );
    row(&settings, "some.new.word", json!({}), "unknown: kept, live");
}

#[test]
fn a_refund_without_a_name_is_named_by_its_message() {
    let settings = settings(AmountUnit::Decimal);
    row(
        &settings,
        "refunded",
        json!({}),
        "7 p1: refund msg_1 5.00 USD, live",
    );
    // What did not happen has another message than the refund that it speaks of.
    row(
        &settings,
        "refund.failed",
        json!({}),
        "7 p1: refund reversed, live",
    );
}

#[test]
fn an_amount_that_should_be_told_and_cannot_be_read_is_never_the_whole() {
    let minor = settings(AmountUnit::Minor);
    for (amount, told) in [
        (json!("2.505"), "2.505 USD"),
        (json!(-400), "-400 USD"),
        (json!(400.5), "400.5 USD"),
    ] {
        let expected = format!("7 p1: unreadable Refund: {told}, live");
        row(&minor, "refunded", json!({ "amount": amount }), &expected);
    }
    row(
        &minor,
        "refunded",
        json!({ "amount": 400.0 }),
        "7 p1: refund msg_1 4.00 USD, live",
    );
    for (currency, told) in [
        (json!("USDX"), "400 USDX"),
        (Value::Null, "400 in no currency"),
    ] {
        let data = json!({ "amount": 400, "currency": currency });
        row(
            &minor,
            "refunded",
            data,
            &format!("7 p1: unreadable Refund: {told}, live"),
        );
    }
    row(
        &minor,
        "refunded",
        json!({ "amount": null }),
        "7 p1: unreadable Refund: no amount, live",
    );
    let mut untold = minor;
    if let Some(fields) = &mut untold.fields {
        fields.amount = None;
    }
    row(
        &untold,
        "refunded",
        json!({}),
        "7 p1: refund msg_1 of all, live",
    );
}

#[test]
fn modes_and_times_in_the_forms_that_senders_write() {
    for (pointer, value, mode) in [
        ("/livemode", json!(true), ", live"),
        ("/livemode", json!(false), ", test"),
        ("/test", json!(true), ", test"),
        ("/is_sandbox", json!(false), ", live"),
        ("/env", json!("TEST"), ", test"),
        ("/env", json!("production"), ", live"),
        ("/env", json!("staging"), ""),
    ] {
        let mut settings = settings(AmountUnit::Decimal);
        if let Some(fields) = &mut settings.fields {
            fields.mode = Some(pointer.to_owned());
        }
        let mut body = json!({ "type": "paid",
            "data": { "id": "p1", "reference": 7, "amount": "5.00", "currency": "USD" } });
        body[&pointer[1..]] = value;
        let expected = format!("7 p1: paid 5.00 USD{mode}");
        assert_eq!(
            said(Provider::Standard, &settings, &body),
            [expected],
            "{body}"
        );
    }
}
