//! The order's rules: a table of the situations that providers make, and properties over any input.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    ids::{AttemptId, SourceId, Version},
    money::{Currency, Money},
    order::{
        Actor, Cause, Content, Facets, Fact, Flag, Item, Mode, Observed, Order, Status, Target,
        observe, request,
    },
};
use proptest::prelude::*;

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn order() -> Order {
    Order {
        project: ProjectId::new(1).expect("id"),
        id: OrderId::new(1).expect("id"),
        user: UserId::new("alice").expect("id"),
        mode: Mode::Default,
        content: Content::new(
            Some(usd(199)),
            vec![Item::new(
                Sku::new("sword").expect("sku"),
                1,
                Some(usd(199)),
            )],
        ),
        facets: Facets::default(),
        version: Version::FIRST,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(86_400_000),
    }
}

fn cause(at: i64) -> Cause {
    Cause {
        actor: Actor::Provider(SourceId::new("test").expect("id")),
        reason: String::new(),
        at: Timestamp::from_millis(at),
    }
}

#[derive(Clone, Debug)]
enum Input {
    Ask(Target),
    Hear(Fact),
}

use Input::{Ask, Hear};

fn attempt(name: &str) -> AttemptId {
    AttemptId::new(name).expect("attempt")
}

fn paid(name: &str, minor: i64) -> Input {
    Hear(Fact::Paid {
        attempt: attempt(name),
        amount: usd(minor),
    })
}

fn refunded(name: &str) -> Input {
    Hear(Fact::Refunded {
        attempt: attempt(name),
    })
}

fn failed(name: &str) -> Input {
    Hear(Fact::PaymentFailed {
        attempt: attempt(name),
    })
}

/// The order after the input, and whether anything changed.
fn step(order: &Order, input: &Input) -> (Order, bool) {
    let changed = match input {
        Ask(target) => request(order, *target, &cause(1)).ok(),
        Hear(fact) => match observe(order, fact, &cause(1)) {
            Observed::Changed(changed) => Some(*changed),
            Observed::Ignored(_) => None,
        },
    };
    match changed {
        Some(changed) => (changed.order, true),
        None => (order.clone(), false),
    }
}

fn check(inputs: &[Input], status: Status, flags: &[Flag]) {
    let end = inputs
        .iter()
        .fold(order(), |order, input| step(&order, input).0);
    assert_eq!(end.status(), status, "{inputs:?}");
    assert_eq!(
        end.facets.flags.iter().copied().collect::<Vec<_>>(),
        flags,
        "{inputs:?}"
    );
}

#[test]
fn situations() {
    use Status::{Canceled, Done, Expired, New, Paid};
    let expired = || Hear(Fact::Expired);
    check(&[paid("a", 199)], Paid, &[]);
    check(&[paid("a", 199), Ask(Target::Done)], Done, &[]);
    check(&[paid("a", 199), paid("a", 199)], Paid, &[]);
    check(&[failed("a"), paid("a", 199)], Paid, &[]);
    check(&[paid("a", 199), failed("a")], Paid, &[]);
    check(&[failed("a")], New, &[]);
    check(&[paid("a", 100)], New, &[Flag::PaidPartial]);
    check(&[paid("a", 100), paid("b", 99)], Paid, &[]);
    check(&[paid("a", 300)], Paid, &[Flag::PaidOver]);
    check(
        &[paid("a", 199), paid("b", 199)],
        Paid,
        &[Flag::DuplicatePayment],
    );
    check(
        &[paid("a", 199), paid("b", 199), refunded("a")],
        Paid,
        &[Flag::DuplicatePayment],
    );
    check(
        &[paid("a", 199), paid("b", 199), refunded("a"), refunded("b")],
        Canceled,
        &[Flag::DuplicatePayment],
    );
    check(&[refunded("a")], Canceled, &[]);
    check(&[refunded("a"), paid("a", 199)], Canceled, &[]);
    check(
        &[refunded("a"), paid("b", 199)],
        Canceled,
        &[Flag::NeedsDecision],
    );
    check(
        &[Ask(Target::Canceled), paid("a", 199)],
        Canceled,
        &[Flag::NeedsDecision],
    );
    check(
        &[paid("a", 199), Ask(Target::Done), refunded("a")],
        Canceled,
        &[],
    );
    check(&[expired()], Expired, &[]);
    check(&[expired(), paid("a", 199)], Paid, &[Flag::PaidLate]);
    check(&[expired(), paid("a", 100)], Expired, &[Flag::PaidPartial]);
    check(&[expired(), Ask(Target::Canceled)], Canceled, &[]);
    check(&[paid("a", 199), expired()], Paid, &[]);
    check(&[Ask(Target::Paid), Ask(Target::Done)], Done, &[]);
    check(&[paid("a", 100), Ask(Target::Paid)], Paid, &[]);
    check(&[Ask(Target::Done)], New, &[]);
    let euro = Money::new(199, Currency::new("EUR").expect("code")).expect("range");
    check(
        &[Hear(Fact::Paid {
            attempt: attempt("a"),
            amount: euro,
        })],
        New,
        &[Flag::AmountMismatch],
    );
}

fn input() -> impl Strategy<Value = Input> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let minor = prop::sample::select(vec![0, 1, 100, 199, 500]);
    prop_oneof![
        prop::sample::select(vec![Target::Paid, Target::Done, Target::Canceled]).prop_map(Ask),
        (name.clone(), minor).prop_map(|(name, minor)| paid(name, minor)),
        name.clone().prop_map(refunded),
        name.prop_map(failed),
        Just(Hear(Fact::Expired)),
    ]
}

proptest! {
    #[test]
    fn any_input_keeps_the_path_legal(inputs in prop::collection::vec(input(), 0..40)) {
        let mut order = order();
        for input in inputs {
            let (next, changed) = step(&order, &input);
            prop_assert!(order.status().may_become(next.status()));
            let expected = if changed { order.version.next() } else { order.version };
            prop_assert_eq!(next.version, expected);
            // The same input again changes nothing: providers repeat themselves.
            if let Hear(_) = input {
                prop_assert!(!step(&next, &input).1, "{:?} was applied twice", input);
            }
            order = next;
        }
    }

    #[test]
    fn payments_and_refunds_commute(mut inputs in prop::collection::vec(input(), 0..8), seed in any::<u64>()) {
        // What providers tell of *different* attempts may arrive in any order.
        inputs.retain(|input| matches!(input, Hear(Fact::Paid { .. })));
        inputs.dedup_by_key(|input| format!("{input:?}"));
        let mut seen = std::collections::HashSet::new();
        inputs.retain(|input| match input {
            Hear(Fact::Paid { attempt, .. }) => seen.insert(attempt.clone()),
            _ => false,
        });
        let end = |inputs: &[Input]| inputs.iter().fold(order(), |o, i| step(&o, i).0).status();
        let mut shuffled = inputs.clone();
        if !shuffled.is_empty() {
            let by = usize::try_from(seed % shuffled.len() as u64).expect("small");
            shuffled.rotate_left(by);
        }
        prop_assert_eq!(end(&inputs), end(&shuffled));
    }
}
