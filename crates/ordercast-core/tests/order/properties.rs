//! Properties over any input.

use crate::{model::Model, support::*};
use ordercast_core::order::{
    DisputeState, Fact, Flag, FulfilmentStep, Mode, PriceRule, Request, Status, Target,
    UnreadableAmount,
};
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

/// Beside what the model knows of: captures in parts, rules of sources, other currencies, test money,
/// prices that change and flags that are lowered.
pub fn any_input() -> impl Strategy<Value = Input> {
    let name = || select(vec!["a", "b", "c"]);
    let id = || select(vec!["c1", "c2"]);
    let minor = || select(vec![0, 1, 100, 199, 500]);
    let rule = select(vec![
        PriceRule::Exact,
        PriceRule::AtLeast { percent: 50 },
        PriceRule::ProviderTotal,
    ]);
    let flag = select(Flag::ALL.to_vec());
    let about = select(vec![
        UnreadableAmount::Payment,
        UnreadableAmount::Refund,
        UnreadableAmount::Dispute,
    ]);
    let euro = any::<bool>();
    prop_oneof![
        8 => input(),
        2 => (name(), id(), minor()).prop_map(|(name, id, minor)| captured(name, id, minor)),
        2 => (name(), prop::option::of(id()), prop::option::of(minor()))
            .prop_map(|(name, id, minor)| capture_failed(name, id, minor)),
        1 => (rule.clone(), name()).prop_map(|(rule, name)| {
            Input::HearBy(rule, Fact::NothingDue { attempt: attempt(name) })
        }),
        2 => (rule, name(), minor(), euro).prop_map(|(rule, name, minor, euro)| {
            let total = if euro { euros(minor) } else { usd(minor) };
            Input::HearBy(rule, paid_total(name, total))
        }),
        1 => (name(), about).prop_map(|(name, about)| unreadable(name, about)),
        1 => (name(), minor()).prop_map(|(name, minor)| refund_unnamed(name, minor)),
        1 => (name(), minor()).prop_map(|(name, minor)| refund_total(name, minor)),
        1 => minor().prop_map(|minor| Input::Ask(Request::Reprice(usd(minor)))),
        1 => flag.prop_map(|flag| Input::Ask(Request::Lower(flag))),
        1 => name().prop_map(|name| Input::HearOf(Mode::Sandbox, fact(paid(name, 199)))),
        1 => (name(), id()).prop_map(|(name, id)| disputed(name, id, DisputeState::Lost, None)),
        1 => (name(), id()).prop_map(|(name, id)| disputed(name, id, DisputeState::Expired, None)),
    ]
}

/// What may give a canceled order its word back.
fn undoes(input: &Input) -> bool {
    let text = format!("{input:?}");
    [
        "RefundReversed",
        "ReverseRefund",
        "Won",
        "state: Expired",
        "Paid {",
    ]
    .iter()
    .any(|word| text.contains(word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_path_is_legal_and_repeats_change_nothing(inputs in prop::collection::vec(any_input(), 0..40)) {
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
            let entries = next.facets.ledger();
            let sum: i64 = entries.iter().map(|entry| entry.minor).sum();
            prop_assert_eq!(sum, next.facets.net_paid(), "{:?}", entries);
            // Of several refunds or captures each failure without a name is another one's.
            let is_unnamed = matches!(
                &input,
                Input::Hear(
                    Fact::RefundReversed { refund: None, .. } | Fact::CaptureFailed { capture: None, .. }
                )
            );
            if let (Input::Hear(_), false) = (&input, is_unnamed) {
                let again = step(&next, &input).0;
                let money = |order: &ordercast_core::order::Order| order.facets.net_paid();
                prop_assert_eq!(money(&again), money(&next), "{:?} was counted twice", input);
                // The second time may raise a flag; the third does nothing.
                prop_assert!(!step(&again, &input).1, "{:?} was applied again", input);
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
