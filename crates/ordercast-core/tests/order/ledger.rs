//! The ledger shows where the money went, and its sum is what the shop holds.

use crate::support::*;
use ordercast_core::order::{DisputeState, LedgerKind};
use proptest::prelude::*;

fn entries(inputs: &[Input]) -> Vec<(LedgerKind, i64)> {
    let order = after(inputs);
    let ledger = order.facets.ledger();
    ledger
        .iter()
        .map(|entry| (entry.kind, entry.minor))
        .collect()
}

#[test]
fn reads_like_an_account() {
    use LedgerKind::{Capture, DisputeLost, Refund, RefundReversed};
    let inputs = [
        paid("a", 199),
        refund("a", "r1", 50),
        reversed("a", Some("r1")),
        refund("a", "r2", 20),
        dispute("a", DisputeState::Lost),
    ];
    let expected = [
        (Capture, 199),
        (Refund, -50),
        (RefundReversed, 50),
        (Refund, -20),
        (DisputeLost, -179),
    ];
    assert_eq!(entries(&inputs), expected);
    let totals = [paid("a", 199), refund_total("a", 50), refund_total("a", 80)];
    assert_eq!(
        entries(&totals),
        [(Capture, 199), (Refund, -50), (Refund, -30)]
    );
}

proptest! {
    #[test]
    fn sums_to_what_the_shop_holds(inputs in prop::collection::vec(crate::properties::input(), 0..30)) {
        let order = after(&inputs);
        let sum: i64 = order.facets.ledger().iter().map(|entry| entry.minor).sum();
        prop_assert_eq!(sum, order.facets.net_paid());
    }
}
