//! An order for 1.99 USD with two items, and short words for what happens to it.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    ids::{AttemptId, CaptureId, DisputeId, RefundId, SourceId, Version},
    money::{Currency, Money},
    order::{
        Actor, Cause, Content, DisputeState, Facets, Fact, FulfilmentStep, Heard, Item, Mode,
        Observed, Order, PriceRule, Refunded, Request, Rules, Target, UnreadableAmount, follow,
        observe, request,
    },
};

pub const PRICE: i64 = 199;

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

pub fn sku(name: &str) -> Sku {
    Sku::new(name).expect("sku")
}

pub fn order() -> Order {
    let item = |name, minor| Item::new(sku(name), 1, Some(usd(minor)));
    Order {
        project: ProjectId::new(1).expect("id"),
        id: OrderId::new(1).expect("id"),
        user: UserId::new("alice").expect("id"),
        mode: Mode::Default,
        content: Content::new(
            Some(usd(PRICE)),
            vec![item("sword", 100), item("shield", 99)],
        ),
        facets: Facets::default(),
        version: Version::FIRST,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(86_400_000),
    }
}

pub fn cause(at: i64) -> Cause {
    Cause {
        actor: Actor::Provider(SourceId::new("test").expect("id")),
        reason: String::new(),
        at: Timestamp::from_millis(at),
    }
}

#[derive(Clone, Debug)]
pub enum Input {
    Ask(Request),
    Hear(Fact),
    /// With the provider's time.
    HearAt(Fact, i64),
    /// Of test or live money.
    HearOf(Mode, Fact),
    /// From a source with this rule.
    HearBy(PriceRule, Fact),
    /// From this source.
    HearFrom(&'static str, Fact),
}

use Input::{Ask, Hear};

pub fn attempt(name: &str) -> AttemptId {
    AttemptId::new(name).expect("attempt")
}

pub fn refund_id(name: &str) -> RefundId {
    RefundId::new(name).expect("refund")
}

pub fn ask(target: Target) -> Input {
    Ask(Request::Become(target))
}

pub fn paid(name: &str, minor: i64) -> Input {
    Hear(Fact::paid(attempt(name), usd(minor)))
}

pub fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::new("EUR").expect("code")).expect("range")
}

/// The fact of an input.
pub fn fact(input: Input) -> Fact {
    match input {
        Hear(fact) => fact,
        other => panic!("{other:?} is no fact"),
    }
}

/// A part of a payment.
pub fn captured(name: &str, id: &str, minor: i64) -> Input {
    Hear(Fact::Paid {
        attempt: attempt(name),
        amount: usd(minor),
        capture: Some(CaptureId::new(id).expect("id")),
        total: None,
        equivalent: None,
    })
}

pub fn capture_failed(name: &str, id: Option<&str>, minor: Option<i64>) -> Input {
    Hear(Fact::CaptureFailed {
        attempt: attempt(name),
        capture: id.map(|id| CaptureId::new(id).expect("id")),
        amount: minor.map(usd),
    })
}

/// What the provider's checkout asked for was paid.
pub fn paid_total(name: &str, total: Money) -> Fact {
    Fact::Paid {
        attempt: attempt(name),
        amount: total,
        capture: None,
        total: Some(total),
        equivalent: None,
    }
}

pub fn disputed(name: &str, id: &str, state: DisputeState, amount: Option<Money>) -> Input {
    Hear(Fact::Disputed {
        attempt: attempt(name),
        state,
        amount,
        dispute: Some(DisputeId::new(id).expect("id")),
    })
}

pub fn unreadable(name: &str, about: UnreadableAmount) -> Input {
    Hear(Fact::Unreadable {
        attempt: attempt(name),
        about,
        told: "2.505 USD".to_owned(),
    })
}

/// A part refund by a provider that has no names for refunds.
pub fn refund_unnamed(name: &str, minor: i64) -> Input {
    Hear(Fact::Refunded {
        attempt: attempt(name),
        refund: None,
        amount: Refunded::Part(usd(minor)),
    })
}

/// By the shop.
pub fn give_back(id: &str, minor: i64) -> Input {
    Ask(Request::Refund {
        id: refund_id(id),
        attempt: None,
        amount: Some(usd(minor)),
    })
}

pub fn pending(name: &str) -> Fact {
    Fact::PaymentPending {
        attempt: attempt(name),
    }
}

pub fn authorized(name: &str) -> Fact {
    Fact::PaymentAuthorized {
        attempt: attempt(name),
    }
}

pub fn failed(name: &str) -> Input {
    Hear(Fact::PaymentFailed {
        attempt: attempt(name),
    })
}

pub fn refunded(name: &str) -> Input {
    Hear(Fact::Refunded {
        attempt: attempt(name),
        refund: None,
        amount: Refunded::Whole,
    })
}

pub fn refund(name: &str, id: &str, minor: i64) -> Input {
    Hear(Fact::Refunded {
        attempt: attempt(name),
        refund: Some(refund_id(id)),
        amount: Refunded::Part(usd(minor)),
    })
}

pub fn refund_total(name: &str, minor: i64) -> Input {
    Hear(Fact::Refunded {
        attempt: attempt(name),
        refund: None,
        amount: Refunded::Total(usd(minor)),
    })
}

pub fn reversed(name: &str, id: Option<&str>) -> Input {
    Hear(Fact::RefundReversed {
        attempt: attempt(name),
        refund: id.map(refund_id),
        amount: None,
    })
}

pub fn dispute(name: &str, state: DisputeState) -> Input {
    Hear(Fact::Disputed {
        attempt: attempt(name),
        state,
        amount: None,
        dispute: None,
    })
}

pub fn expired() -> Input {
    Hear(Fact::Expired)
}

pub fn fulfil(step: FulfilmentStep, items: &[&str]) -> Input {
    Ask(Request::Fulfil {
        step,
        items: items.iter().map(|name| sku(name)).collect(),
    })
}

fn at_time(fact: &Fact, occurred_at: Option<Timestamp>) -> Heard<'_> {
    Heard {
        occurred_at,
        ..Heard::new(fact)
    }
}

/// The order after the input and what follows from it, and whether anything changed.
pub fn step(order: &Order, input: &Input) -> (Order, bool) {
    let told = |heard: Heard<'_>| match observe(order, &heard, &cause(1)) {
        Observed::Changed(changed) => Some(*changed),
        Observed::Ignored(reason) => {
            assert!(!reason.is_empty(), "what is ignored has its reason");
            None
        }
    };
    let heard = |fact, at| told(at_time(fact, at));
    let changed = match input {
        Ask(asked) => request(order, asked, &cause(1)).ok(),
        Hear(fact) => heard(fact, None),
        Input::HearOf(mode, fact) => {
            let mode = Some(*mode);
            told(Heard {
                mode,
                ..Heard::new(fact)
            })
        }
        Input::HearBy(rule, fact) => {
            let rule = *rule;
            told(Heard {
                rule,
                ..Heard::new(fact)
            })
        }
        Input::HearFrom(source, fact) => {
            let source = SourceId::new(source).expect("id");
            let source = Some(&source);
            told(Heard {
                source,
                ..Heard::new(fact)
            })
        }
        Input::HearAt(fact, at) => heard(fact, Some(Timestamp::from_millis(*at))),
    };
    let Some(changed) = changed else {
        return (order.clone(), false);
    };
    assert_eq!(changed.order.version, order.version.next());
    let mut order = changed.order;
    while let Some((next, _, _)) = follow(&order, Rules::default(), Timestamp::from_millis(1)) {
        assert_eq!(next.order.version, order.version.next());
        order = next.order;
    }
    (order, true)
}

pub fn after(inputs: &[Input]) -> Order {
    inputs
        .iter()
        .fold(order(), |order, input| step(&order, input).0)
}
