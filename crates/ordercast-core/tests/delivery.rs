//! What a shop is told, when again, and when no more.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    delivery::{
        EventDetails, EventFacts, Form, Mode, Notification, Schedule, Verdict, body,
        breaker::{Breaker, ORDERS},
        health::is_hopeless,
        notifications, verdict,
    },
    ids::{AttemptId, SourceId, Version},
    money::{Currency, Money},
    order::{
        Actor, Cause, Content, Facets, Fact, Heard, Item, Mode as OrderMode, Observed, Order,
        Status, observe,
    },
    provider::{self, Provider, Request, SourceSettings},
};
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

const MODES: [Mode; 3] = [
    Mode::Standard,
    Mode::ReferenceSeparate,
    Mode::ReferenceCombined,
];
const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn order(price: Option<Money>) -> Order {
    let axe = Sku::new("artifact_centaurs_axe").expect("sku");
    Order {
        project: ProjectId::new(44_056).expect("id"),
        id: OrderId::new(7).expect("id"),
        user: UserId::new("alice").expect("id"),
        mode: OrderMode::Sandbox,
        content: Content::new(price, vec![Item::new(axe, 1, price)]),
        facets: Facets::default(),
        version: Version::FIRST,
        created_at: AT,
        updated_at: AT,
        expires_at: AT.plus(Duration::from_secs(86_400)),
    }
}

fn paid(order: &Order, attempt: &str) -> Order {
    let fact = Fact::paid(
        AttemptId::new(attempt).expect("id"),
        order.content.price.expect("a price"),
    );
    observed(order, &fact)
}

fn observed(order: &Order, fact: &Fact) -> Order {
    let cause = Cause {
        actor: Actor::Provider(SourceId::new("test").expect("id")),
        reason: String::new(),
        at: AT,
    };
    let heard = Heard {
        occurred_at: Some(AT),
        ..Heard::new(fact)
    };
    match observe(order, &heard, &cause) {
        Observed::Changed(changed) => changed.order,
        Observed::Ignored(reason) => panic!("{reason}"),
    }
}

fn event(kind: &str, from: Option<Status>, status: Status) -> EventFacts {
    EventFacts {
        public_id: "evt_abcdefgh1_7".to_owned(),
        id: 42,
        kind: kind.to_owned(),
        version: Version::FIRST,
        status,
        previous_status: from,
        at: AT,
        reason: "told by the test".to_owned(),
        details: Some(EventDetails::default()),
    }
}

fn form(mode: Mode) -> Form {
    Form {
        mode,
        has_item_flags: false,
    }
}

fn bodies(mode: Mode, event: &EventFacts, order: &Order) -> Vec<(Notification, Vec<u8>)> {
    notifications(mode, &event.kind, event.previous_status, order)
        .iter()
        .map(|told| (*told, body(form(mode), *told, event, order)))
        .collect()
}

/// Store contract, 3.1.
#[test]
fn each_mode_has_its_words() {
    use Notification::{Event, OrderCanceled, OrderPaid, Payment, Refund};
    use Status::{Canceled, Done, Expired, New, Paid};
    let (separate, combined) = (Mode::ReferenceSeparate, Mode::ReferenceCombined);
    let (sold, free) = (order(Some(usd(199))), order(None));
    for (kind, from, order, in_separate, in_combined) in [
        ("order.created", None, &sold, &[][..], &[][..]),
        ("order.created", None, &free, &[OrderPaid], &[OrderPaid]),
        (
            "order.paid",
            Some(New),
            &sold,
            &[Payment, OrderPaid],
            &[OrderPaid],
        ),
        (
            "order.paid",
            Some(Expired),
            &sold,
            &[Payment, OrderPaid],
            &[OrderPaid],
        ),
        ("order.paid", Some(New), &free, &[OrderPaid], &[OrderPaid]),
        (
            "order.canceled",
            Some(Paid),
            &sold,
            &[Refund, OrderCanceled],
            &[OrderCanceled],
        ),
        (
            "order.canceled",
            Some(Done),
            &sold,
            &[Refund, OrderCanceled],
            &[OrderCanceled],
        ),
        // Nothing was granted: there is nothing to take back.
        ("order.canceled", Some(New), &sold, &[], &[]),
        ("order.done", Some(Paid), &sold, &[], &[]),
        // Found again after `done` it is no second sale.
        ("order.paid", Some(Done), &sold, &[], &[]),
        ("order.paid", Some(Canceled), &sold, &[], &[]),
        ("order.expired", Some(New), &sold, &[], &[]),
        ("order.updated", Some(Paid), &sold, &[], &[]),
    ] {
        assert_eq!(
            notifications(separate, kind, from, order),
            in_separate,
            "{kind} {from:?}"
        );
        assert_eq!(
            notifications(combined, kind, from, order),
            in_combined,
            "{kind} {from:?}"
        );
        assert_eq!(notifications(Mode::Standard, kind, from, order), [Event]);
    }
}

/// Members in their order, and the type of each value.
fn shape(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| shape(value, &format!("{path}/{name}"), into)),
        Value::Array(items) => items
            .iter()
            .for_each(|value| shape(value, &format!("{path}[]"), into)),
        leaf => {
            let kind = match leaf {
                Value::Null => "null",
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                _ => "text",
            };
            into.push(format!("{path} {kind}"));
        }
    }
}

#[test]
fn order_paid_is_shaped_as_the_recorded_one() {
    let recorded = include_bytes!("../../../tests/fixtures/provider-order_paid.raw.json");
    let sold = order(Some(usd(199)));
    let event = event("order.paid", Some(Status::New), Status::Paid);
    let ours = &bodies(Mode::ReferenceCombined, &event, &paid(&sold, "1785001"))[0].1;
    let of = |body: &[u8]| {
        let mut into = Vec::new();
        let body: Value = serde_json::from_slice(body).expect("JSON");
        shape(&body, "", &mut into);
        into.sort();
        into
    };
    // The buyer's country and address are what only the recorded provider knew.
    let unknown = ["/user/country text", "/user/email text"];
    let ours: Vec<_> = of(ours)
        .into_iter()
        .map(|line| match line.as_str() {
            "/user/country null" => unknown[0].to_owned(),
            "/user/email null" => unknown[1].to_owned(),
            _ => line,
        })
        .collect();
    assert_eq!(ours, of(recorded));
}

/// As another Ordercast reads it that the shop's provider webhooks come to.
fn understood(body: &[u8]) -> provider::Event {
    let project = order(None).project;
    let request = Request { headers: &[], body };
    let settings = SourceSettings::default();
    let read = provider::read(Provider::Reference, request, project, &settings, "hash");
    read.expect("understood").remove(0)
}

#[test]
fn what_is_sent_is_read_as_what_happened() {
    let sold = order(Some(usd(199)));
    let now = paid(&sold, "1785001");
    for mode in [Mode::ReferenceSeparate, Mode::ReferenceCombined] {
        for (kind, from) in [
            ("order.paid", Status::New),
            ("order.canceled", Status::Paid),
        ] {
            let event = event(kind, Some(from), Status::Paid);
            for (notification, body) in bodies(mode, &event, &now) {
                let read = understood(&body);
                assert_eq!(read.kind, notification.as_str());
                match (notification, read.fact) {
                    (
                        Notification::Payment | Notification::OrderPaid,
                        Some(Fact::Paid {
                            attempt, amount, ..
                        }),
                    ) => {
                        assert_eq!((attempt.as_str(), amount), ("1785001", usd(199)));
                    }
                    (
                        Notification::Refund | Notification::OrderCanceled,
                        Some(Fact::Refunded { attempt, .. }),
                    ) => {
                        assert_eq!(attempt.as_str(), "1785001");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// However long an attempt comes after its event: the bytes are those of the first.
#[test]
fn every_attempt_has_the_same_body() {
    let sold = paid(&order(Some(usd(199))), "1785001");
    let event = event("order.paid", Some(Status::New), Status::Paid);
    let mut later = sold.clone();
    later.version = sold.version.next();
    later.updated_at = AT.plus(Duration::from_secs(3_600));
    for mode in MODES {
        assert_eq!(bodies(mode, &event, &sold), bodies(mode, &event, &later));
    }
}

/// Shops know a sale by its transaction: it must not turn into another one between two attempts.
#[test]
fn a_second_payment_does_not_change_what_was_told_of_the_first() {
    let id = |id: &str| AttemptId::new(id).expect("id");
    let pending = Fact::PaymentPending {
        attempt: id("1785001"),
    };
    let begun = observed(&order(Some(usd(199))), &pending);
    let sold = paid(&begun, "1785002");
    let event = event("order.paid", Some(Status::New), Status::Paid);
    let told = bodies(Mode::ReferenceCombined, &event, &sold);
    let read = understood(&told[0].1);
    let Some(Fact::Paid { attempt, .. }) = read.fact else {
        panic!("{read:?}")
    };
    assert_eq!(attempt, id("1785002"));
    let paid_twice = paid(&sold, "1785001");
    for mode in MODES {
        assert_eq!(
            bodies(mode, &event, &sold),
            bodies(mode, &event, &paid_twice),
            "{mode:?}"
        );
    }
}

/// Store contract, 3.3; the Standard Webhooks specification for the others.
#[test]
fn answers_are_understood_as_each_mode_says() {
    use Notification::{Event, OrderCanceled, OrderPaid, Payment, Refund};
    for status in 100..=599 {
        for mode in MODES {
            for notification in Notification::ALL {
                let is_reference = mode != Mode::Standard;
                let wanted = match (status, notification) {
                    (200..=299, _) => Verdict::Accepted,
                    (410, _) => Verdict::Gone,
                    (400..=404 | 409 | 415 | 422, OrderPaid | OrderCanceled) if is_reference => {
                        Verdict::Refused
                    }
                    (400, Payment | Refund) if is_reference => Verdict::Refused,
                    (_, Payment | Refund | OrderPaid | OrderCanceled | Event) => Verdict::Retry,
                };
                assert_eq!(
                    verdict(mode, notification, status),
                    wanted,
                    "{mode:?} {notification:?} {status}"
                );
            }
        }
    }
}

#[test]
fn the_schedules_are_those_of_their_documents() {
    let total = |schedule: &Schedule| schedule.delays().iter().sum::<u32>();
    // Store contract, 3.4: 20 attempts within 12 h, 11 h 55 min apart.
    let reference = Schedule::reference();
    assert_eq!(reference.delays().len(), 19);
    assert_eq!(total(&reference), 11 * 3_600 + 55 * 60);
    let standard = Schedule::standard();
    assert_eq!(standard.delays()[..3], [5, 30, 300]);
    assert_eq!(total(&standard), 75 * 3_600 + 35 * 60 + 35);
    assert_eq!(Schedule::of_mode(Mode::Standard), standard);
    for mode in [Mode::ReferenceSeparate, Mode::ReferenceCombined] {
        assert_eq!(Schedule::of_mode(mode), reference);
    }
    assert!(Schedule::new(vec![0]).is_err());
    assert!(Schedule::new(vec![7 * 86_400 + 1]).is_err());
    assert!(Schedule::new(vec![1; 65]).is_err());
    assert!(serde_json::from_str::<Schedule>("[0]").is_err());
}

proptest! {
    #[test]
    fn the_next_attempt_is_within_its_bounds(
        delays in proptest::collection::vec(1_u32..=7 * 86_400, 0..=64),
        made in 0_u32..80,
        jitter in -2.0_f64..2.0,
        asked in proptest::option::of(0_u64..=10 * 86_400),
    ) {
        let schedule = Schedule::new(delays.clone()).expect("valid");
        let asked = asked.map(Duration::from_secs);
        let next = schedule.next(made, AT, asked, jitter);
        let place = usize::try_from(made).expect("small").wrapping_sub(1);
        prop_assert_eq!(next.is_some(), place < delays.len(), "after the last there is none");
        if let Some(next) = next {
            let delay = f64::from(delays[place]) * 1_000.0;
            let waited = (next.millis() - AT.millis()) as f64;
            let asked = asked.unwrap_or_default().min(Duration::from_secs(86_400)).as_secs_f64() * 1_000.0;
            prop_assert!(waited + 1.0 >= delay * 0.8 && waited + 1.0 >= asked);
            prop_assert!(waited - 1.0 <= (delay * 1.2).max(asked));
        }
    }

    /// Whatever happens, a closed circuit lets everything through, and an open one asks once a pause,
    /// never later than 5 minutes after a failure.
    #[test]
    fn a_circuit_opens_after_orders_that_fail_in_a_row_and_asks_again(
        steps in proptest::collection::vec((0_u64..400, 1_i64..9, any::<bool>()), 1..60),
    ) {
        let mut breaker = Breaker::default();
        let (mut now, mut failing) = (AT, BTreeSet::new());
        for (seconds, order, succeeds) in steps {
            now = now.plus(Duration::from_secs(seconds));
            if let Some(until) = breaker.open_until(now) {
                prop_assert!(failing.len() >= ORDERS && until > now);
                prop_assert!(until <= now.plus(Duration::from_secs(300)));
                now = until;
                prop_assert_eq!(breaker.open_until(now), None, "then one may ask");
            }
            breaker.started(now);
            if failing.len() >= ORDERS {
                prop_assert!(breaker.open_until(now).is_some(), "one only");
            }
            if succeeds {
                breaker.succeeded();
                failing.clear();
                prop_assert_eq!(breaker.open_until(now), None);
            } else {
                breaker.failed(OrderId::new(order).expect("id"), now);
                failing.insert(order);
                prop_assert_eq!(breaker.open_until(now).is_some(), failing.len() >= ORDERS);
            }
        }
    }
}

#[test]
fn one_order_that_always_fails_does_not_open_the_circuit() {
    let mut breaker = Breaker::default();
    for minute in 0..20 {
        let now = AT.plus(Duration::from_secs(minute * 60));
        breaker.started(now);
        breaker.failed(OrderId::new(1).expect("id"), now);
        assert_eq!(breaker.open_until(now), None);
    }
}

/// Attempts that were on their way when it opened are no reason to pause for longer.
#[test]
fn failures_at_the_same_time_open_the_circuit_once() {
    let mut breaker = Breaker::default();
    for order in 1..=40 {
        breaker.failed(OrderId::new(order).expect("id"), AT);
    }
    assert_eq!(
        breaker.open_until(AT),
        Some(AT.plus(Duration::from_secs(5)))
    );
}

#[test]
fn an_endpoint_is_hopeless_after_many_failures_in_many_days() {
    let days = |days: u64| AT.plus(Duration::from_secs(days * 86_400));
    assert!(is_hopeless(20, AT, days(5)));
    assert!(!is_hopeless(19, AT, days(50)));
    assert!(!is_hopeless(5_000, AT, days(4)));
}
