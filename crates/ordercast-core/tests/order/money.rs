//! Money that truly moves, told by providers and the shop in any order, once or twice. Whatever is told
//! of it, the order's sum is what moved; what nobody can know carries a flag.
//!
//! The truth is plain sums of what was made up; it shares nothing with the code it checks.

use crate::support::*;
use ordercast_core::order::{
    DisputeState, Fact, Flag, Mode, Order, Refunded, Request, Status, Target, UnreadableAmount,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// One payment, as it happened.
#[derive(Clone, Debug)]
struct Payment {
    /// In parts; of one part, as a whole.
    captures: Vec<i64>,
    /// A capture that was told and did not happen.
    failed: Option<i64>,
    refunds: Vec<TrueRefund>,
    /// As a sum that grows, instead of one by one.
    tells_sums: bool,
    /// Of the rest that is left: how much, and whether it is lost.
    disputes: Vec<(i64, bool)>,
    strange: Option<Strange>,
}

#[derive(Clone, Debug)]
struct TrueRefund {
    minor: i64,
    /// The shop told of it too, by a name of its own or by the provider's.
    by_shop: Option<bool>,
    failed: bool,
}

/// What is told beside it and cannot be counted.
#[derive(Clone, Copy, Debug)]
enum Strange {
    UnreadableRefund,
    UnreadableDispute,
    TestRefund,
    EuroPayment,
}

impl Payment {
    fn captured(&self) -> i64 {
        self.captures.iter().sum()
    }

    fn net(&self) -> i64 {
        let back = self.refunds.iter().filter(|refund| !refund.failed);
        let back: i64 = back.map(|refund| refund.minor).sum();
        let lost = self.disputes.iter().filter(|(_, is_lost)| *is_lost);
        let lost = lost.map(|(minor, _)| minor).sum::<i64>();
        (self.captured() - back - lost).max(0)
    }
}

fn payment() -> impl Strategy<Value = Payment> {
    let refund = (
        select(vec![10, 10, 20, 30]),
        select(vec![None, Some(false), Some(true)]),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(minor, by_shop, failed)| TrueRefund {
            minor,
            by_shop,
            failed,
        });
    let strange = select(vec![
        Strange::UnreadableRefund,
        Strange::UnreadableDispute,
        Strange::TestRefund,
        Strange::EuroPayment,
    ]);
    (
        vec(select(vec![99, 100, 199]), 1..3),
        prop::option::weighted(0.2, Just(50)),
        vec(refund, 0..4),
        any::<bool>(),
        vec((select(vec![5, 9]), any::<bool>()), 0..3),
        prop::option::weighted(0.3, strange),
    )
        .prop_map(
            |(captures, failed, mut refunds, tells_sums, disputes, strange)| {
                // Refunds that failed are told by name: a sum without names cannot tell which.
                let tells_sums = tells_sums && refunds.iter().all(|refund| !refund.failed);
                // The same money twice cannot be told from other money of the same amount.
                let shop_failed = |refund: &mut TrueRefund| {
                    if refund.failed {
                        refund.by_shop = None;
                        refund.minor += 3;
                    }
                };
                refunds.iter_mut().for_each(shop_failed);
                Payment {
                    captures,
                    failed,
                    refunds,
                    tells_sums,
                    disputes,
                    strange,
                }
            },
        )
}

/// All that is told of a payment, in the order in which it happened.
fn tellings(number: usize, payment: &Payment) -> Vec<Input> {
    let name = format!("pay {number}");
    let mut told = Vec::new();
    let mut clock = 0;
    let mut at = |input: Input| {
        clock += 1;
        Input::HearAt(fact(input), clock)
    };
    match payment.captures[..] {
        [whole] if payment.failed.is_none() => told.push(at(paid(&name, whole))),
        _ => {
            for (part, minor) in payment.captures.iter().enumerate() {
                told.push(at(captured(&name, &format!("c{part}"), *minor)));
            }
        }
    }
    if let Some(minor) = payment.failed {
        told.push(at(captured(&name, "failed", minor)));
        told.push(at(capture_failed(&name, Some("failed"), Some(minor))));
    }
    let mut sum = 0;
    for (n, refund) in payment.refunds.iter().enumerate() {
        let id = format!("{name} r{n}");
        sum += refund.minor;
        if payment.tells_sums {
            told.push(at(refund_total(&name, sum)));
        } else {
            told.push(at(crate::support::refund(&name, &id, refund.minor)));
        }
        if refund.failed {
            told.push(at(Input::Hear(Fact::RefundReversed {
                attempt: attempt(&name),
                refund: Some(refund_id(&id)),
                amount: Some(usd(refund.minor)),
            })));
        }
        if let Some(is_same_name) = refund.by_shop {
            let ours = if is_same_name && !payment.tells_sums {
                id
            } else {
                format!("{name} shop {n}")
            };
            told.push(Input::Ask(Request::Refund {
                id: refund_id(&ours),
                attempt: Some(attempt(&name)),
                amount: Some(usd(refund.minor)),
            }));
        }
    }
    for (n, (minor, is_lost)) in payment.disputes.iter().enumerate() {
        let id = format!("d{n}");
        let end = match is_lost {
            true => DisputeState::Lost,
            false => DisputeState::Won,
        };
        for state in [DisputeState::Opened, end] {
            told.push(at(disputed(&name, &id, state, Some(usd(*minor)))));
        }
    }
    match payment.strange {
        None => {}
        Some(Strange::UnreadableRefund) => told.push(unreadable(&name, UnreadableAmount::Refund)),
        Some(Strange::UnreadableDispute) => {
            told.push(unreadable(&name, UnreadableAmount::Dispute));
        }
        Some(Strange::TestRefund) => told.push(Input::HearOf(Mode::Sandbox, fact(refunded(&name)))),
        Some(Strange::EuroPayment) => {
            let other = attempt(&format!("{name} in euros"));
            told.push(Input::Hear(Fact::paid(other, euros(50))));
        }
    }
    told
}

const fn flag_of(strange: Strange) -> Flag {
    match strange {
        Strange::UnreadableRefund | Strange::UnreadableDispute => Flag::UnreadableAmount,
        Strange::TestRefund => Flag::TestPayment,
        Strange::EuroPayment => Flag::AmountMismatch,
    }
}

/// Without the shop's own word.
fn real(order: &Order) -> i64 {
    let attempts = order.facets.attempts.iter();
    let real = attempts.filter(|attempt| !attempt.id.is_manual());
    real.map(|attempt| order.facets.net_of(attempt)).sum()
}

fn check(payments: &[Payment], told: &[Input]) -> Result<(), TestCaseError> {
    let mut order = order();
    for input in told {
        let before = order;
        order = step(&before, input).0;
        let (net, status) = (order.facets.net_paid(), order.status());
        prop_assert!(net >= 0);
        // Nothing is revoked while the shop holds the price, unless somebody is told of it.
        if status == Status::Canceled && net > 0 {
            prop_assert!(order.facets.flags.contains(&Flag::NeedsDecision));
        }
        if matches!(status, Status::Paid | Status::Done)
            && !matches!(
                before.status(),
                Status::Paid | Status::Done | Status::Canceled
            )
        {
            prop_assert!(order.facets.settled);
        }
    }
    let truth: i64 = payments.iter().map(Payment::net).sum();
    let real = real(&order);
    prop_assert_eq!(real, truth, "of {:#?}", order.facets);
    let word = order.facets.net_paid() - real;
    prop_assert!(word >= 0);
    if real >= PRICE {
        prop_assert_eq!(word, 0, "real money has replaced the shop's word");
    }
    let sum: i64 = order.facets.ledger().iter().map(|entry| entry.minor).sum();
    prop_assert_eq!(sum, order.facets.net_paid());
    for strange in payments.iter().filter_map(|payment| payment.strange) {
        prop_assert!(order.facets.flags.contains(&flag_of(strange)));
    }
    Ok(())
}

fn shop() -> impl Strategy<Value = Vec<Input>> {
    vec(
        select(vec![ask(Target::Paid), expired(), ask(Target::Done)]),
        0..3,
    )
}

fn some_payments() -> impl Strategy<Value = (Vec<Payment>, Vec<Input>)> {
    (vec(payment(), 0..3), shop()).prop_flat_map(|(payments, by_shop)| {
        let mut told: Vec<Input> = payments
            .iter()
            .enumerate()
            .flat_map(|(number, payment)| tellings(number, payment))
            .collect();
        // Everything a second time, of which a part is dropped again.
        let twice: Vec<Input> = told.iter().step_by(2).cloned().collect();
        told.extend(twice);
        told.extend(by_shop);
        (Just(payments), Just(told).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_sum_is_what_moved_in_any_order((payments, told) in some_payments()) {
        check(&payments, &told)?;
    }
}

#[test]
fn refunds_without_names_count_once_each_or_are_flagged() {
    let unnamed = |minor| {
        Input::Hear(Fact::Refunded {
            attempt: attempt("a"),
            refund: None,
            amount: Refunded::Part(usd(minor)),
        })
    };
    let end = after(&[paid("a", 199), unnamed(10), unnamed(20), unnamed(10)]);
    assert_eq!(end.facets.net_paid(), 169);
    assert!(end.facets.flags.contains(&Flag::RefundRepeated));
}
