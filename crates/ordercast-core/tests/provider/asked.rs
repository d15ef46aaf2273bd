//! What is asked of providers, and what their answers are taken for.

use crate::said::shown;
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    ids::AttemptId,
    provider::{About, Provider, Question, SourceSettings},
};
use serde_json::{Value, json};

fn about(provider: Provider, attempts: &[&str]) -> Vec<Question> {
    let attempts: Vec<_> = attempts
        .iter()
        .map(|id| AttemptId::new(id).expect("an id"))
        .collect();
    provider.questions(&About {
        project: ProjectId::new(1).expect("an id"),
        order: OrderId::new(7).expect("an id"),
        attempts: &attempts,
        made_at: Timestamp::from_seconds(1_790_000_000),
        account: "",
    })
}

fn check(question: &Question, provider: Provider, path: &str, answer: &Value, expected: &[&str]) {
    assert_eq!(question.path(), path);
    let settings = SourceSettings::default();
    let answered = question
        .answered(provider, &settings, answer.to_string().as_bytes())
        .expect("as documented");
    let events = answered.readings.iter().flat_map(|reading| &reading.events);
    let said: Vec<_> = events.map(shown).collect();
    assert_eq!(said, expected, "{answer}");
}

fn mollie_payment(status: &str) -> Value {
    json!({ "resource": "payment", "id": "tr_1", "mode": "live", "status": status,
        "amount": { "value": "10.00", "currency": "EUR" }, "metadata": { "order_id": 7 } })
}

#[test]
fn what_a_classic_webhook_of_mollie_names_is_asked_for() {
    let thin = |body: &str| Provider::Mollie.thin(body.as_bytes());
    let payment = thin("id=tr_1").expect("a payment");
    check(
        &payment.question,
        Provider::Mollie,
        "/v2/payments/tr_1?embed=captures%2Crefunds%2Cchargebacks",
        &mollie_payment("paid"),
        &["7 tr_1: paid 10.00 EUR, live"],
    );
    let order = thin("id=ord_1").expect("an order");
    let answer = json!({ "resource": "order", "id": "ord_1", "mode": "live", "status": "paid",
        "metadata": { "order_id": 7 }, "_embedded": { "payments": [mollie_payment("paid")] } });
    check(
        &order.question,
        Provider::Mollie,
        "/v2/orders/ord_1?embed=payments%2Crefunds",
        &answer,
        &["nothing: kept, live", "7 tr_1: paid 10.00 EUR, live"],
    );
    for other in ["id=", "id=tr_1/../x", "id=sub_1", "nothing"] {
        assert!(thin(other).is_none(), "{other}");
    }
}

#[test]
fn what_a_simple_payload_of_mollie_names_is_asked_for_below_a_payment_of_mollies() {
    let thin = |entity: &str, link: &str| {
        let event = json!({ "resource": "event", "id": "event_1", "type": "refund.refunded",
            "entityId": entity, "_links": { "entity": { "href": link } } });
        Provider::MollieNext.thin(event.to_string().as_bytes())
    };
    let api = "https://api.mollie.com/v2/payments";
    let refund = thin("re_1", &format!("{api}/tr_1/refunds/re_1")).expect("a refund");
    assert_eq!(refund.dedup_key.as_deref(), Some("event_1"));
    let answer = json!({ "resource": "refund", "id": "re_1", "status": "refunded", "paymentId": "tr_1",
        "amount": { "value": "4.00", "currency": "EUR" } });
    check(
        &refund.question,
        Provider::MollieNext,
        "/v2/payments/tr_1/refunds/re_1",
        &answer,
        &["tr_1: refund re_1 4.00 EUR"],
    );
    assert!(thin("tr_1", "").is_some(), "its own id is enough");
    for link in [
        "https://elsewhere.example/v2/payments/tr_1/refunds/re_1",
        "https://api.mollie.com.elsewhere.example/v2/payments/tr_1/refunds/re_1",
        "https://api.mollie.com/v2/payments/tr_1/refunds/re_2",
        "https://api.mollie.com/v2/payments/tr_1/other/re_1",
        "https://api.mollie.com/v2/payments/../refunds/re_1",
    ] {
        assert!(thin("re_1", link).is_none(), "{link}");
    }
}

#[test]
fn open_orders_are_asked_about_where_there_is_something_to_ask() {
    let asked = about(Provider::LemonSqueezy, &["11"]);
    let order = json!({ "data": { "type": "orders", "id": "11", "attributes": { "status": "partial_refund",
        "total": 1_000, "refunded_amount": 400, "currency": "USD", "test_mode": false } } });
    check(
        &asked[0],
        Provider::LemonSqueezy,
        "/v1/orders/11",
        &order,
        &["11: paid 10.00 USD, live", "11: refunds of 4.00 USD, live"],
    );

    let asked = about(Provider::Tebex, &["tbx-1", "../x"]);
    assert_eq!(asked.len(), 1);
    let payment = |status: &str| json!({ "id": 1, "amount": "10.00", "status": status, "currency": { "iso_4217": "USD" } });
    for (status, expected) in [
        ("Complete", &["tbx-1: paid 10.00 USD"][..]),
        ("Refund", &["tbx-1: refund of all"]),
        ("Chargeback", &["tbx-1: dispute opened"]),
        ("Pending Checkout", &[]),
    ] {
        check(
            &asked[0],
            Provider::Tebex,
            "/payments/tbx-1",
            &payment(status),
            expected,
        );
    }

    let charge = |order: u32| {
        json!({ "code": "ABC", "metadata": { "order_id": order },
        "pricing": { "local": { "amount": "10.00", "currency": "USD" } },
        "timeline": [{ "status": "NEW" }, { "status": "RESOLVED", "time": "2026-11-23T10:00:00Z" }],
        "payments": [{ "transaction_id": "0xa", "status": "CONFIRMED",
            "value": { "local": { "amount": "4.00", "currency": "USD" } } }] })
    };
    check(
        &about(Provider::CoinbaseCommerce, &["ABC"])[0],
        Provider::CoinbaseCommerce,
        "/charges/ABC",
        &json!({ "data": charge(7) }),
        &["7 ABC: paid 0xa 4.00 USD"],
    );
    check(
        &about(Provider::CoinbaseCommerce, &[])[0],
        Provider::CoinbaseCommerce,
        "/charges?limit=100",
        &json!({ "data": [charge(8), charge(7)] }),
        &["7 ABC: paid 0xa 4.00 USD"],
    );
}
