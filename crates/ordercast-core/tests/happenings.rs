//! Which events a change becomes, and what they tell: amounts, flags and why.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    delivery::{
        CustomHeaders, EventFacts, Form, InvalidHeaders, Mode, Notification, body, happenings,
        test_body,
    },
    ids::{AttemptId, RefundId, SourceId, Version},
    money::{Currency, Money},
    order::{
        Actor, Cause, Content, DisputeState, Facets, Fact, Heard, Item, Mode as OrderMode,
        Observed, Order, Refunded, Request, Status, Target, observe, request,
    },
};
use serde_json::{Value, json};

const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

/// Of 10.00.
fn new_order() -> Order {
    let sku = Sku::new("sword").expect("sku");
    Order {
        project: ProjectId::new(7).expect("id"),
        id: OrderId::new(42).expect("id"),
        user: UserId::new("alice").expect("id"),
        mode: OrderMode::Default,
        content: Content::new(Some(usd(1_000)), vec![Item::new(sku, 1, Some(usd(1_000)))]),
        facets: Facets::default(),
        version: Version::FIRST,
        created_at: AT,
        updated_at: AT,
        expires_at: AT,
    }
}

fn cause() -> Cause {
    Cause {
        actor: Actor::Provider(SourceId::new("test").expect("id")),
        reason: "told by the test".to_owned(),
        at: AT,
    }
}

fn hear(order: &Order, fact: &Fact) -> Order {
    match observe(order, &Heard::new(fact), &cause()) {
        Observed::Changed(changed) => changed.order,
        Observed::Ignored(why) => panic!("{why}"),
    }
}

fn payment() -> AttemptId {
    AttemptId::new("pay_1").expect("id")
}

fn paid(minor: i64) -> Fact {
    Fact::Paid {
        attempt: payment(),
        amount: usd(minor),
        capture: None,
        total: None,
        equivalent: None,
    }
}

fn refunded(id: &str, minor: i64) -> Fact {
    Fact::Refunded {
        attempt: payment(),
        refund: Some(RefundId::new(id).expect("id")),
        amount: Refunded::Part(usd(minor)),
    }
}

fn reversed(id: &str) -> Fact {
    Fact::RefundReversed {
        attempt: payment(),
        refund: Some(RefundId::new(id).expect("id")),
        amount: None,
    }
}

fn disputed(state: DisputeState) -> Fact {
    Fact::Disputed {
        attempt: payment(),
        state,
        amount: None,
        dispute: None,
    }
}

/// The bodies of all events of a change, as they are sent.
fn told(before: &Order, after: &Order, was_sold: bool) -> Vec<Value> {
    let form = Form {
        mode: Mode::Standard,
        has_item_flags: false,
    };
    happenings(Some(before), after, was_sold)
        .into_iter()
        .map(|happening| {
            let facts = EventFacts {
                id: 1,
                public_id: "evt_1".to_owned(),
                kind: happening.kind.to_owned(),
                version: after.version,
                status: after.status(),
                previous_status: Some(before.status()),
                at: AT,
                reason: "told by the test".to_owned(),
                details: Some(happening.details),
            };
            let body = body(form, Notification::Event, &facts, after);
            serde_json::from_slice(&body).expect("JSON")
        })
        .collect()
}

/// What each event tells beside the order: its type, net money, flags, and its own member.
fn check(before: &Order, after: &Order, expected: &[Value]) {
    let was_sold = before.status() == Status::Canceled;
    let told = told(before, after, was_sold);
    let short: Vec<_> = told
        .iter()
        .map(|body| {
            let data = &body["data"];
            let own = ["refund", "dispute", "raised"];
            let own = own.into_iter().find_map(|member| data.get(member));
            json!([body["type"], data["net_paid"]["amount"], data["flags"], own])
        })
        .collect();
    assert_eq!(short, expected);
    for body in told {
        assert_eq!(body["data"]["reason"], "told by the test");
    }
}

#[test]
fn a_refund_is_told_with_its_amount() {
    let sold = hear(&new_order(), &paid(1_000));
    check(
        &new_order(),
        &sold,
        &[json!(["order.paid", "10.00", [], null])],
    );
    let refund = |id: &str, amount: &str| json!({ "refund_id": id, "attempt_id": "pay_1", "amount": amount, "currency": "USD" });
    let part = hear(&sold, &refunded("re_1", 250));
    check(
        &sold,
        &part,
        &[
            json!(["order.updated", "7.50", [], null]),
            json!(["order.refunded", "7.50", [], refund("re_1", "2.50")]),
        ],
    );
    let rest = hear(&part, &refunded("re_2", 750));
    check(
        &part,
        &rest,
        &[
            json!(["order.canceled", "0.00", [], null]),
            json!(["order.refunded", "0.00", [], refund("re_2", "7.50")]),
        ],
    );
    let back = hear(&rest, &reversed("re_2"));
    check(
        &rest,
        &back,
        &[
            json!(["order.reinstated", "7.50", [], null]),
            json!(["order.refund_reversed", "7.50", [], refund("re_2", "7.50")]),
        ],
    );
}

#[test]
fn a_dispute_is_told_with_what_it_is_about() {
    let sold = hear(&new_order(), &paid(1_000));
    let dispute = |state: &str| json!({ "state": state, "attempt_id": "pay_1", "amount": "10.00", "currency": "USD" });
    let opened = hear(&sold, &disputed(DisputeState::Opened));
    check(
        &sold,
        &opened,
        &[
            json!(["order.updated", "10.00", [], null]),
            json!(["order.disputed", "10.00", [], dispute("opened")]),
        ],
    );
    let lost = hear(&opened, &disputed(DisputeState::Lost));
    check(
        &opened,
        &lost,
        &[
            json!(["order.canceled", "0.00", [], null]),
            json!(["order.disputed", "0.00", [], dispute("lost")]),
        ],
    );
}

#[test]
fn a_flag_that_is_raised_is_told_with_its_meaning() {
    let part = hear(&new_order(), &paid(400));
    let about = "less than the price is in";
    check(
        &new_order(),
        &part,
        &[
            json!(["order.updated", "4.00", ["paid_partial"], null]),
            json!([
                "order.flagged", "4.00", ["paid_partial"],
                [{ "flag": "paid_partial", "about": about }]
            ]),
        ],
    );
    // What is up already is no news.
    let review = |order: &Order, up: bool| {
        request(order, &Request::Review(up), &cause())
            .expect("changed")
            .order
    };
    let reviewed = review(&part, true);
    let flags = json!(["under_review", "paid_partial"]);
    check(
        &part,
        &reviewed,
        &[json!(["order.updated", "4.00", flags, null])],
    );
}

/// The shop has said so itself.
#[test]
fn the_shops_own_mark_is_no_flag_for_it() {
    let order = new_order();
    let marked = request(&order, &Request::Become(Target::Paid), &cause());
    let marked = marked.expect("changed").order;
    let kinds: Vec<_> = happenings(Some(&order), &marked, false)
        .into_iter()
        .map(|happening| happening.kind)
        .collect();
    assert_eq!(kinds, ["order.paid"]);
}

/// Shops that grant on `order.paid` would grant twice.
#[test]
fn an_order_is_paid_once() {
    let order = new_order();
    let sold = hear(&order, &paid(1_000));
    let first = |was_sold| happenings(Some(&order), &sold, was_sold)[0].kind;
    assert_eq!(
        (first(false), first(true)),
        ("order.paid", "order.reinstated")
    );
}

/// Receivers read it with what they read events with.
#[test]
fn the_test_is_shaped_as_events_are() {
    let test: Value = serde_json::from_slice(&test_body(
        Mode::Standard,
        ProjectId::new(7).expect("id"),
        AT,
    ))
    .expect("JSON");
    let sold = hear(&new_order(), &paid(1_000));
    let event = told(&new_order(), &sold, false).remove(0);
    let members = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(members(&test), members(&event));
    assert_eq!(members(&test["data"]), members(&event["data"]));
    assert_eq!(test["type"], "endpoint.test");
}

#[test]
fn headers_of_the_shops_own() {
    let check = |mode: Mode, given: &[(&str, &str)]| {
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        CustomHeaders::new(mode, given).map(|headers| {
            let names = headers.iter().map(|(name, _)| name.to_owned());
            names.collect::<Vec<_>>()
        })
    };
    let standard = Mode::Standard;
    assert_eq!(
        check(standard, &[("X-Key", "a b"), ("Authorization", "Bearer x")]),
        Ok(vec!["authorization".to_owned(), "x-key".to_owned()])
    );
    for reserved in [
        "webhook-id",
        "Webhook-Signature",
        "svix-id",
        "Host",
        "TE",
        "content-type",
    ] {
        let refused = check(standard, &[(reserved, "a")]);
        assert_eq!(refused, Err(InvalidHeaders::Reserved(reserved.to_owned())));
    }
    let refused = check(Mode::ReferenceCombined, &[("Authorization", "a")]);
    assert_eq!(
        refused,
        Err(InvalidHeaders::Reserved("Authorization".to_owned()))
    );
    for name in ["", "a b", "a:b", "é", &"a".repeat(65)] {
        let refused = check(standard, &[(name, "a")]);
        assert!(matches!(refused, Err(InvalidHeaders::Name(_))), "{name}");
    }
    for value in ["", " a", "a ", "a\r\nb: c", "é", &"a".repeat(1_025)] {
        let refused = check(standard, &[("x", value)]);
        assert_eq!(
            refused,
            Err(InvalidHeaders::Value("x".to_owned())),
            "{value:?}"
        );
    }
    let twice = check(standard, &[("X-Key", "a"), ("x-key", "b")]);
    assert_eq!(twice, Err(InvalidHeaders::Twice("x-key".to_owned())));
    let many: Vec<_> = (0..11).map(|n| format!("x-{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "a")).collect();
    assert_eq!(check(standard, &many), Err(InvalidHeaders::TooMany));
    assert!(check(standard, &many[..10]).is_ok());
}
