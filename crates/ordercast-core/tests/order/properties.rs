//! Properties over any input.

use crate::{model::Model, support::*};
use ordercast_core::order::{DisputeState, FulfilmentStep, Request, Status, Target};
use proptest::{prelude::*, sample::select};

pub fn input() -> impl Strategy<Value = Input> {
    let name = || select(vec!["a", "b", "c"]);
    let minor = || select(vec![0, 1, 100, 199, 500]);
    let id = || select(vec!["r1", "r2"]);
    let disputes = vec![
        DisputeState::Inquiry,
        DisputeState::Opened,
        DisputeState::Won,
        DisputeState::Lost,
    ];
    let steps = vec![
        FulfilmentStep::Granting,
        FulfilmentStep::Delivered,
        FulfilmentStep::Revoked,
    ];
    let items = select(vec![&[][..], &["sword"], &["shield"]]);
    prop_oneof![
        3 => select(vec![Target::Paid, Target::Done, Target::Canceled]).prop_map(ask),
        6 => (name(), minor()).prop_map(|(name, minor)| paid(name, minor)),
        1 => name().prop_map(|name| Input::Hear(pending(name))),
        1 => name().prop_map(|name| Input::Hear(authorized(name))),
        1 => name().prop_map(failed),
        2 => name().prop_map(refunded),
        3 => (name(), id(), minor()).prop_map(|(name, id, minor)| refund(name, id, minor)),
        2 => (name(), id()).prop_map(|(name, id)| reversed(name, Some(id))),
        1 => name().prop_map(|name| reversed(name, None)),
        2 => (name(), select(disputes)).prop_map(|(name, state)| dispute(name, state)),
        1 => Just(expired()),
        2 => (select(steps), items).prop_map(|(step, items)| fulfil(step, items)),
        1 => any::<bool>().prop_map(|on| Input::Ask(Request::Review(on))),
        1 => (name(), minor()).prop_map(|(name, minor)| Input::Ask(Request::Refund {
            id: refund_id("shop"),
            attempt: Some(attempt(name)),
            amount: Some(usd(minor)),
        })),
    ]
}

/// What gives a canceled order its word back.
fn undoes(input: &Input) -> bool {
    let text = format!("{input:?}");
    text.contains("RefundReversed") || text.contains("Won")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_path_is_legal_and_repeats_change_nothing(inputs in prop::collection::vec(input(), 0..40)) {
        let mut order = order();
        for input in inputs {
            let (next, changed) = step(&order, &input);
            let (from, to) = (order.status(), next.status());
            // `new` to `done` is two versions.
            let is_legal = from.may_become(to)
                || (undoes(&input) && from == Status::Canceled)
                || (from.may_become(Status::Paid) && to == Status::Done && next.version.get() == order.version.get() + 2);
            prop_assert!(is_legal, "{from} -> {to} by {input:?}");
            prop_assert_eq!(changed, next.version != order.version);
            prop_assert!(next.facets.net_paid() >= 0);
            if let Input::Hear(_) = input {
                prop_assert!(!step(&next, &input).1, "{:?} was applied twice", input);
            }
            order = next;
        }
    }

    #[test]
    fn agrees_with_the_model(inputs in prop::collection::vec(input(), 0..40)) {
        let mut order = order();
        let mut model = Model::default();
        // The money of refunds that both sides tell is the subject of `money`.
        let by_provider = |input: &&Input| !matches!(input, Input::Ask(Request::Refund { .. }));
        for input in inputs.iter().filter(by_provider) {
            order = step(&order, input).0;
            model.step(input);
            prop_assert_eq!(order.facets.net_paid(), model.net(), "after {:?} of {:?}", input, inputs);
            prop_assert_eq!(order.status(), model.status(), "after {:?} of {:?}", input, inputs);
        }
    }

    /// Providers deliver in any order: the money ends the same.
    #[test]
    fn money_commutes(
        inputs in prop::collection::vec(input(), 0..12),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut told: Vec<_> = inputs
            .into_iter()
            .filter(|input| matches!(input, Input::Hear(_)) && !format!("{input:?}").contains("Won"))
            .collect();
        // One event each: of two different tales of one thing, the first is believed.
        let mut seen = std::collections::HashSet::new();
        told.retain(|input| {
            let text = format!("{input:?}");
            let key = text.split("amount").next().unwrap_or_default().to_owned();
            seen.insert(key)
        });
        let there = after(&told).facets.net_paid();
        if !told.is_empty() {
            let by = seed.index(told.len());
            told.rotate_left(by);
        }
        told.reverse();
        prop_assert_eq!(after(&told).facets.net_paid(), there);
    }
}
