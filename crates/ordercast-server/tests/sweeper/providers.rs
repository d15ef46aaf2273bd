//! Providers' APIs, as their documentation shows them, and what an order makes of their answers.

use super::{SECOND, START, Shop, source};
use axum::{
    Json, Router,
    extract::Query,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use ordercast_core::{
    order::{Order, Status},
    provider::Provider,
};
use ordercast_server::{
    inbox::ask::{Asker, reader},
    jobs::sweep,
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

const KEY: &str = "a-key-of-the-tests";
const BEARER: (&str, &str) = ("authorization", "Bearer a-key-of-the-tests");

/// A provider and what its server answers.
struct Api {
    provider: Provider,
    key: &'static str,
    /// Header and value that every question must carry.
    credential: (&'static str, &'static str),
    /// A payment that a webhook has told of, where the provider finds them by their ids only.
    heard: Option<&'static str>,
    router: Router,
}

impl Api {
    fn of(provider: Provider) -> Self {
        Self {
            provider,
            key: KEY,
            credential: BEARER,
            heard: None,
            router: Router::new(),
        }
    }

    fn key(self, key: &'static str, name: &'static str, value: &'static str) -> Self {
        Self {
            key,
            credential: (name, value),
            ..self
        }
    }

    fn heard(self, id: &'static str) -> Self {
        Self {
            heard: Some(id),
            ..self
        }
    }

    fn answers(self, path: &str, answer: Value) -> Self {
        self.answers_to(path, &[], answer)
    }

    /// Only where the query says so.
    fn answers_to(mut self, path: &str, query: &[(&'static str, String)], answer: Value) -> Self {
        let (name, value) = self.credential;
        let query = query.to_vec();
        let handler = async move |headers: HeaderMap, given: Query<HashMap<String, String>>| {
            let is_asked_so = query
                .iter()
                .all(|(name, value)| given.get(*name) == Some(value));
            if headers.get(name).is_some_and(|it| it == value) && is_asked_so {
                Ok(Json(answer))
            } else {
                Err(StatusCode::UNAUTHORIZED)
            }
        };
        self.router = self.router.route(path, get(handler));
        self
    }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async { axum::serve(listener, router).await });
    base
}

/// What an order of 1.99 USD is after its provider was asked.
async fn asked(api: impl FnOnce(&Order) -> Api) -> Status {
    let shop = Shop::open().await;
    let order = shop.new_order().await;
    let api = api(&order);
    if let Some(attempt) = api.heard {
        shop.hear_of(&order, attempt).await;
    }
    let mut source = source(api.provider, Some(serve(api.router).await));
    source.api_key = Some(api.key.to_owned().into());
    let asker = Arc::new(Asker::new(shop.sending()));
    let reader = reader(&asker, &source).expect("it can be asked");
    let minute = START.plus(SECOND * 60);
    let readers = vec![(source, reader)];
    sweep(&shop.store, &readers, START, minute)
        .await
        .expect("swept");
    shop.status(&order).await
}

fn intent(id: &str, order: Option<&Order>, more: Value) -> Value {
    let metadata = order.map_or(
        json!({}),
        |order| json!({ "order_id": order.id.to_string() }),
    );
    let mut intent = json!({ "object": "payment_intent", "id": id, "status": "succeeded", "livemode": true,
        "amount_received": 199, "currency": "usd", "metadata": metadata });
    for (name, value) in more.as_object().into_iter().flatten() {
        intent[name] = value.clone();
    }
    intent
}

fn stripe(order: &Order, more: Value) -> Api {
    let query = [("query", format!("metadata['order_id']:'{}'", order.id))];
    let found = json!({ "data": [intent("pi_1", Some(order), more)], "has_more": false });
    Api::of(Provider::Stripe).answers_to("/v1/payment_intents/search", &query, found)
}

#[tokio::test]
async fn stripe_is_searched_by_the_order_in_its_metadata() {
    assert_eq!(asked(|order| stripe(order, json!({}))).await, Status::Paid);
}

/// A checkout names the order by `client_reference_id` only: its intent has no metadata to search by.
#[tokio::test]
async fn stripe_is_asked_about_the_payments_that_have_been_heard_of() {
    let api = |_: &Order| {
        Api::of(Provider::Stripe)
            .heard("pi_7")
            .answers("/v1/payment_intents/pi_7", intent("pi_7", None, json!({})))
            .answers("/v1/payment_intents/search", json!({ "data": [] }))
    };
    assert_eq!(asked(api).await, Status::Paid);
}

#[tokio::test]
async fn mollies_newest_payments_are_looked_through_for_the_order() {
    let payment = |id: &str, order: i64| {
        json!({ "resource": "payment", "id": id, "status": "paid", "mode": "live",
            "amount": { "value": "1.99", "currency": "USD" }, "metadata": { "order_id": order } })
    };
    let api = |order: &Order| {
        let payments = [payment("tr_0", 1), payment("tr_1", order.id.get().into())];
        let found = json!({ "count": 2, "_embedded": { "payments": payments } });
        let query = [("limit", "250".to_owned())];
        Api::of(Provider::Mollie).answers_to("/v2/payments", &query, found)
    };
    assert_eq!(asked(api).await, Status::Paid);
}

#[tokio::test]
async fn the_reference_is_searched_by_the_external_id() {
    let found = json!([{ "transaction": { "id": 42, "status": "done" },
        "purchase": { "total": { "amount": 1.99, "currency": "USD" } } }]);
    // The merchant of the credential, not the project.
    let path = "/merchant/v2/merchants/887981/reports/transactions/search.json";
    let api = |order: &Order| {
        let query = [("external_id", order.id.to_string())];
        let basic = "Basic ODg3OTgxOmEta2V5LW9mLXRoZS10ZXN0cw==";
        Api::of(Provider::Reference)
            .key("887981:a-key-of-the-tests", "authorization", basic)
            .answers_to(path, &query, found)
    };
    assert_eq!(asked(api).await, Status::Paid);
}

/// An intent stays `succeeded` when all its money has gone back.
#[tokio::test]
async fn what_stripe_has_given_back_does_not_pay() {
    let charge = json!({ "latest_charge": { "object": "charge", "id": "ch_1", "amount": 199, "amount_captured": 199,
        "amount_refunded": 199, "currency": "usd", "captured": true, "created": 1_700_000_010 } });
    assert_ne!(asked(|order| stripe(order, charge)).await, Status::Paid);
}

#[tokio::test]
async fn test_money_that_is_asked_for_does_not_pay_a_live_order() {
    let of_tests = json!({ "livemode": false });
    assert_eq!(asked(|order| stripe(order, of_tests)).await, Status::New);
}

/// The number was another shop's before it was this order's.
#[tokio::test]
async fn a_payment_that_was_made_before_the_order_does_not_pay_it() {
    let charge = json!({ "latest_charge": { "object": "charge", "id": "ch_1", "amount": 199, "amount_captured": 199,
        "amount_refunded": 0, "currency": "usd", "captured": true, "created": 1_699_000_000 } });
    assert_eq!(asked(|order| stripe(order, charge)).await, Status::New);
}

fn paypal(order: &Order, unit: Value) -> Api {
    let token = async |headers: HeaderMap| {
        // client:secret
        assert_eq!(headers["authorization"], "Basic Y2xpZW50OnNlY3JldA==");
        Json(json!({ "access_token": "a-token", "token_type": "Bearer", "expires_in": 32_400 }))
    };
    let mut unit = unit;
    unit["custom_id"] = json!(order.id.to_string());
    let mut api = Api::of(Provider::Paypal)
        .key("client:secret", "authorization", "Bearer a-token")
        .heard("5O190127TN364715T")
        .answers(
            "/v2/checkout/orders/5O190127TN364715T",
            json!({ "id": "5O190127TN364715T", "status": "COMPLETED", "purchase_units": [unit] }),
        );
    api.router = api.router.route("/v1/oauth2/token", post(token));
    api
}

fn capture(status: &str) -> Value {
    json!([{ "id": "3C679366HH908993F", "status": status, "amount": { "value": "1.99", "currency_code": "USD" } }])
}

#[tokio::test]
async fn paypal_is_asked_with_a_token_about_the_order_that_the_buyer_approved() {
    let unit = json!({ "payments": { "captures": capture("COMPLETED") } });
    assert_eq!(asked(|order| paypal(order, unit)).await, Status::Paid);
    let refund = json!([{ "id": "1JU08902781691411", "status": "COMPLETED",
        "amount": { "value": "1.99", "currency_code": "USD" },
        "links": [{ "rel": "up", "href": "https://api.paypal.com/v2/payments/captures/3C679366HH908993F" }] }]);
    let unit = json!({ "payments": { "captures": capture("REFUNDED"), "refunds": refund } });
    assert_ne!(asked(|order| paypal(order, unit)).await, Status::Paid);
}

#[tokio::test]
async fn paddles_transactions_since_the_order_was_made_are_looked_through_for_it() {
    let api = |order: &Order| {
        let transaction = json!({ "id": "txn_01", "status": "completed", "currency_code": "USD",
            "custom_data": { "order_id": order.id.to_string() },
            "details": { "totals": { "total": "199", "grand_total": "0", "currency_code": "USD" } } });
        let found =
            json!({ "data": [transaction], "meta": { "pagination": { "has_more": false } } });
        Api::of(Provider::Paddle).answers("/transactions", found)
    };
    assert_eq!(asked(api).await, Status::Paid);
}

#[tokio::test]
async fn razorpays_payments_since_the_order_was_made_are_looked_through_for_it() {
    let payment = |order: &Order, refunded: i64| {
        let payment = json!({ "id": "pay_1", "entity": "payment", "status": "captured", "captured": true,
            "amount": 199, "amount_refunded": refunded, "currency": "USD",
            "notes": { "order_id": order.id.to_string() }, "created_at": 1_700_000_010 });
        // rzp_live_1:secret
        Api::of(Provider::Razorpay)
            .key(
                "rzp_live_1:secret",
                "authorization",
                "Basic cnpwX2xpdmVfMTpzZWNyZXQ=",
            )
            .answers_to(
                "/v1/payments",
                &[("from", "1700000000".to_owned())],
                json!({ "entity": "collection", "count": 1, "items": [payment] }),
            )
    };
    assert_eq!(asked(|order| payment(order, 0)).await, Status::Paid);
    assert_ne!(asked(|order| payment(order, 199)).await, Status::Paid);
}
#[tokio::test]
async fn coinbases_newest_charges_are_looked_through_for_the_order() {
    let api = |order: &Order| {
        let money = json!({ "local": { "amount": "1.99", "currency": "USD" },
            "crypto": { "amount": "0.001", "currency": "ETH" } });
        let charge = json!({ "code": "ABCD1234", "id": "f765421f2", "metadata": { "order_id": order.id.to_string() },
            "pricing": { "local": { "amount": "1.99", "currency": "USD" } }, "pricing_type": "fixed_price",
            "timeline": [{ "status": "NEW", "time": "2023-11-14T22:13:20Z" },
                         { "status": "COMPLETED", "time": "2023-11-14T22:14:00Z" }],
            "payments": [{ "network": "ethereum", "transaction_id": "0xe02", "status": "CONFIRMED", "value": money }] });
        Api::of(Provider::CoinbaseCommerce)
            .key(KEY, "x-cc-api-key", KEY)
            .answers("/charges", json!({ "data": [charge] }))
    };
    assert_eq!(asked(api).await, Status::Paid);
}

#[tokio::test]
async fn lemon_squeezy_is_asked_about_the_order_of_its_own_that_was_heard_of() {
    let attributes = json!({ "status": "paid", "total": 199, "currency": "USD", "refunded_amount": 0,
        "test_mode": false, "updated_at": "2023-11-14T22:14:00.000000Z" });
    let api = |_: &Order| {
        Api::of(Provider::LemonSqueezy).heard("4711").answers(
            "/v1/orders/4711",
            json!({ "data": { "type": "orders", "id": "4711", "attributes": attributes } }),
        )
    };
    assert_eq!(asked(api).await, Status::Paid);
}

#[tokio::test]
async fn tebex_is_asked_about_the_transaction_that_was_heard_of() {
    let api = |status: &'static str| {
        move |_: &Order| {
            Api::of(Provider::Tebex)
                .key(KEY, "x-tebex-secret", KEY)
                .heard("tbx-1a2b")
                .answers(
                    "/payments/tbx-1a2b",
                    json!({ "id": 1, "status": status, "amount": "1.99", "currency": { "iso_4217": "USD" } }),
                )
        }
    };
    assert_eq!(asked(api("Complete")).await, Status::Paid);
    assert_ne!(asked(api("Refund")).await, Status::Paid);
}
