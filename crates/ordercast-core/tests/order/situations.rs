//! The situation table of the providers contract, section 2, row by row.

use crate::support::*;
use Status::{Canceled, Done, Expired, New, Paid};
use ordercast_core::{
    money::{Currency, Money},
    order::{
        DisputeState, Fact, Flag, Fulfilment, FulfilmentStep, PaymentState, Refunded, Refusal,
        Request, Rules, Status, Target, follow, request,
    },
};

fn check(inputs: &[Input], status: Status, flags: &[Flag]) {
    let end = after(inputs);
    assert_eq!(end.status(), status, "{inputs:?}");
    assert_eq!(
        end.facets.flags.iter().copied().collect::<Vec<_>>(),
        flags,
        "{inputs:?}"
    );
    let stored = serde_json::to_string(&end.facets).expect("serialises");
    let read: ordercast_core::order::Facets = serde_json::from_str(&stored).expect("reads");
    assert_eq!(read, end.facets, "what is stored comes back: {stored}");
}

#[test]
fn a_plain_purchase() {
    check(&[paid("a", 199)], Paid, &[]);
    check(&[paid("a", 199), ask(Target::Done)], Done, &[]);
    check(&[failed("a")], New, &[]);
    check(&[ask(Target::Done)], New, &[]);
}

#[test]
fn the_same_payment_told_twice() {
    check(&[paid("a", 199), paid("a", 199)], Paid, &[]);
    // Another sum of the same payment (sales tax in one message, none in the other) is the same.
    check(&[paid("a", 199), paid("a", 217)], Paid, &[]);
    assert!(!step(&after(&[paid("a", 199)]), &paid("a", 199)).1);
}

#[test]
fn out_of_order() {
    check(&[failed("a"), paid("a", 199)], Paid, &[]);
    check(&[paid("a", 199), failed("a")], Paid, &[]);
    check(&[refunded("a")], Canceled, &[]);
    check(&[refunded("a"), paid("a", 199)], Canceled, &[]);
    // The payment was whole when it was made, whatever was given back later.
    check(&[refund("a", "r1", 50), paid("a", 199)], Paid, &[]);
    check(
        &[
            reversed("a", Some("r1")),
            refund("a", "r1", 199),
            paid("a", 199),
        ],
        Paid,
        &[],
    );
}

#[test]
fn states_of_one_attempt_are_ordered_by_the_providers_time_then_by_rank() {
    let payment = |inputs: &[Input]| after(inputs).facets.payment();
    let hear = |fact, at| Input::HearAt(fact, at);
    assert_eq!(
        payment(&[Input::Hear(authorized("a")), Input::Hear(pending("a"))]),
        PaymentState::Authorized
    );
    assert_eq!(
        payment(&[Input::Hear(pending("a")), Input::Hear(authorized("a"))]),
        PaymentState::Authorized
    );
    assert_eq!(
        payment(&[hear(authorized("a"), 1), hear(pending("a"), 2)]),
        PaymentState::Pending
    );
    assert_eq!(
        payment(&[hear(pending("a"), 2), hear(authorized("a"), 1)]),
        PaymentState::Pending
    );
    assert_eq!(
        payment(&[hear(pending("a"), 2), hear(authorized("a"), 2)]),
        PaymentState::Authorized
    );
    assert_eq!(
        payment(&[failed("a"), Input::Hear(authorized("a"))]),
        PaymentState::Authorized
    );
    assert_eq!(
        payment(&[failed("a"), Input::Hear(pending("b"))]),
        PaymentState::Pending
    );
    assert_eq!(
        payment(&[paid("a", 199), hear(pending("a"), 9)]),
        PaymentState::Paid
    );
}

#[test]
fn paid_after_the_order_expired() {
    check(&[expired()], Expired, &[]);
    check(&[expired(), paid("a", 199)], Paid, &[Flag::PaidLate]);
    check(&[expired(), paid("a", 100)], Expired, &[Flag::PaidPartial]);
    check(&[paid("a", 199), expired()], Paid, &[]);
    check(&[expired(), ask(Target::Canceled)], Canceled, &[]);
}

#[test]
fn paid_after_the_order_was_canceled() {
    check(
        &[ask(Target::Canceled), paid("a", 199)],
        Canceled,
        &[Flag::NeedsDecision],
    );
    check(
        &[refunded("a"), paid("b", 199)],
        Canceled,
        &[Flag::NeedsDecision],
    );
    // Canceled with the money still there: the same decision waits.
    check(
        &[paid("a", 199), ask(Target::Canceled)],
        Canceled,
        &[Flag::NeedsDecision],
    );
    check(
        &[paid("a", 199), ask(Target::Canceled), refunded("a")],
        Canceled,
        &[],
    );
}

#[test]
fn two_attempts() {
    check(
        &[paid("a", 199), paid("b", 199)],
        Paid,
        &[Flag::DuplicatePayment],
    );
    // The second is given back: nothing is left to look at, and the order stays paid.
    check(&[paid("a", 199), paid("b", 199), refunded("b")], Paid, &[]);
    check(&[paid("a", 199), paid("b", 199), refunded("a")], Paid, &[]);
    check(
        &[paid("a", 199), paid("b", 199), refunded("a"), refunded("b")],
        Canceled,
        &[],
    );
    check(&[failed("a"), paid("b", 199), failed("a")], Paid, &[]);
}

#[test]
fn partial_and_over() {
    check(&[paid("a", 100)], New, &[Flag::PaidPartial]);
    check(&[paid("a", 100), paid("b", 99)], Paid, &[]);
    check(&[paid("a", 300)], Paid, &[Flag::PaidOver]);
    check(&[paid("a", 300), refund("a", "r1", 101)], Paid, &[]);
    // What was given back does not count twice.
    check(
        &[paid("a", 100), refunded("a"), paid("b", 99)],
        Canceled,
        &[Flag::NeedsDecision],
    );
}

#[test]
fn partial_refunds_keep_the_word_and_show_in_the_facet() {
    let end = after(&[paid("a", 199), ask(Target::Done), refund("a", "r1", 50)]);
    assert_eq!(end.status(), Done);
    assert_eq!(end.facets.payment(), PaymentState::PartiallyRefunded);
    assert_eq!(end.facets.net_paid(), 149);
    check(
        &[
            paid("a", 199),
            refund("a", "r1", 50),
            refund("a", "r2", 149),
        ],
        Canceled,
        &[],
    );
    check(
        &[paid("a", 199), refund("a", "r1", 50), refund("a", "r1", 50)],
        Paid,
        &[],
    );
    // Providers without names for refunds tell the sum so far.
    check(
        &[
            paid("a", 199),
            refund_total("a", 50),
            refund_total("a", 199),
        ],
        Canceled,
        &[],
    );
    check(
        &[
            paid("a", 199),
            refund_total("a", 50),
            refund_total("a", 120),
        ],
        Paid,
        &[],
    );
}

#[test]
fn a_refund_that_fails_brings_the_word_back_as_a_new_version() {
    let done = [paid("a", 199), ask(Target::Done), refund("a", "r1", 199)];
    check(&done, Canceled, &[]);
    let canceled = after(&done);
    let (back, changed) = step(&canceled, &reversed("a", Some("r1")));
    assert!(changed);
    assert_eq!(back.status(), Done);
    assert_eq!(back.version, canceled.version.next());
    check(
        &[paid("a", 199), refunded("a"), reversed("a", None)],
        Paid,
        &[],
    );
    // A shop that has canceled by its own will stays with that.
    check(
        &[
            paid("a", 199),
            ask(Target::Canceled),
            refunded("a"),
            reversed("a", None),
        ],
        Canceled,
        &[Flag::NeedsDecision],
    );
}

/// Stripe tells a sum that grows (`charge.refunded`), but a refund's failure by the refund alone.
#[test]
fn a_refund_that_fails_leaves_the_sum_that_was_told_before() {
    let total = |minor, at| {
        let Input::Hear(fact) = refund_total("a", minor) else {
            unreachable!()
        };
        Input::HearAt(fact, at)
    };
    let fails = |id: &str, minor, at| {
        let fact = Fact::RefundReversed {
            attempt: attempt("a"),
            refund: Some(refund_id(id)),
            amount: Some(usd(minor)),
        };
        Input::HearAt(fact, at)
    };
    let bought = |more: &[Input]| {
        let mut inputs = vec![paid("a", 199), ask(Target::Done)];
        inputs.extend_from_slice(more);
        inputs
    };
    // In either order of arrival, and whether the refund had been told by its name or not.
    check(&bought(&[total(199, 1)]), Canceled, &[]);
    check(&bought(&[total(199, 1), fails("r1", 199, 9)]), Done, &[]);
    check(&bought(&[fails("r1", 199, 9), total(199, 1)]), Done, &[]);
    let named = Input::HearAt(
        Fact::Refunded {
            attempt: attempt("a"),
            refund: Some(refund_id("r1")),
            amount: Refunded::Part(usd(199)),
        },
        1,
    );
    check(
        &bought(&[named.clone(), total(199, 1), fails("r1", 199, 9)]),
        Done,
        &[],
    );
    check(
        &bought(&[total(199, 1), fails("r1", 199, 9), named]),
        Done,
        &[],
    );
    // Another refund of the same sum after it did happen.
    check(
        &bought(&[total(199, 1), fails("r1", 199, 9), total(199, 12)]),
        Canceled,
        &[],
    );
    let net = |more: &[Input]| after(&bought(more)).facets.net_paid();
    assert_eq!(net(&[total(50, 1), fails("r1", 50, 9)]), 199);
    assert_eq!(net(&[total(50, 1), fails("r1", 50, 9), total(30, 12)]), 169);
    assert_eq!(net(&[total(50, 1), total(80, 2), fails("r2", 30, 9)]), 149);
    // A sum that has shrunk by itself.
    assert_eq!(net(&[total(80, 2), total(50, 3)]), 149);
    assert_eq!(net(&[total(50, 3), total(80, 2)]), 149);
    check(&bought(&[total(0, 1)]), Done, &[]);
}

#[test]
fn a_dispute_may_be_about_a_part_and_in_a_foreign_currency() {
    let lost = |amount| {
        Input::Hear(Fact::Disputed {
            attempt: attempt("a"),
            state: DisputeState::Lost,
            amount: Some(amount),
            dispute: None,
        })
    };
    let euros = Money::new(50, Currency::new("EUR").expect("code")).expect("range");
    let end = after(&[paid("a", 199), lost(usd(50))]);
    assert_eq!((end.status(), end.facets.net_paid()), (Paid, 149));
    check(&[paid("a", 199), lost(usd(199))], Canceled, &[]);
    check(&[lost(usd(199)), paid("a", 199)], Canceled, &[]);
    check(
        &[paid("a", 199), lost(euros)],
        Canceled,
        &[Flag::AmountMismatch],
    );
}

#[test]
fn disputes() {
    use DisputeState::{Inquiry, Lost, Opened, Won};
    let bought = |more: &[Input]| {
        let mut inputs = vec![paid("a", 199), ask(Target::Done)];
        inputs.extend_from_slice(more);
        inputs
    };
    check(&bought(&[dispute("a", Inquiry)]), Done, &[]);
    check(&bought(&[dispute("a", Opened)]), Done, &[]);
    check(
        &bought(&[dispute("a", Opened), dispute("a", Lost)]),
        Canceled,
        &[],
    );
    check(
        &bought(&[dispute("a", Lost), dispute("a", Opened)]),
        Canceled,
        &[],
    );
    check(&bought(&[dispute("a", Lost), dispute("a", Won)]), Done, &[]);
    check(
        &[paid("a", 199), dispute("a", Lost), dispute("a", Won)],
        Paid,
        &[],
    );
    assert_eq!(
        after(&bought(&[dispute("a", Lost)])).facets.payment(),
        PaymentState::Reversed
    );
}

#[test]
fn delivered_before_paid() {
    let early = [fulfil(FulfilmentStep::Delivered, &[])];
    check(&early, New, &[Flag::DeliveredUnpaid]);
    let order = after(&early);
    let (end, _) = step(&order, &paid("a", 199));
    assert_eq!(end.status(), Done);
    assert_eq!(
        end.version.get(),
        order.version.get() + 2,
        "paid, then done"
    );
    check(
        &[early[0].clone(), ask(Target::Paid)],
        Done,
        &[Flag::MarkedPaid],
    );
}

#[test]
fn fulfilment_item_by_item() {
    use FulfilmentStep::{Delivered, Granting, Revoked};
    let bought = |more: &[Input]| {
        let mut inputs = vec![paid("a", 199)];
        inputs.extend_from_slice(more);
        after(&inputs)
    };
    let partly = bought(&[fulfil(Granting, &[]), fulfil(Delivered, &["sword"])]);
    assert_eq!(partly.status(), Paid);
    assert_eq!(partly.facets.fulfilment, Fulfilment::Partly);
    assert_eq!(
        partly.facets.fulfilment_of(&sku("shield")),
        Fulfilment::Granting
    );
    let (done, _) = step(&partly, &fulfil(Delivered, &["shield"]));
    assert_eq!(done.status(), Done);
    let (revoked, _) = step(&done, &fulfil(Revoked, &[]));
    assert_eq!(revoked.facets.fulfilment, Fulfilment::Revoked);
    assert_eq!(
        revoked.status(),
        Done,
        "the word is about the purchase, not the goods"
    );
    let refused = |order, step| {
        let items = vec![sku("sword")];
        request(order, &Request::Fulfil { step, items }, &cause(1)).err()
    };
    assert_eq!(refused(&done, Delivered), Some(Refusal::Fulfilment));
    assert_eq!(refused(&after(&[]), Revoked), Some(Refusal::Fulfilment));
    let unknown = Request::Fulfil {
        step: Delivered,
        items: vec![sku("helmet")],
    };
    assert_eq!(
        request(&partly, &unknown, &cause(1)).err(),
        Some(Refusal::Fulfilment)
    );
}

#[test]
fn by_hand() {
    check(
        &[ask(Target::Paid), ask(Target::Done)],
        Done,
        &[Flag::MarkedPaid],
    );
    check(
        &[paid("a", 100), ask(Target::Paid)],
        Paid,
        &[Flag::MarkedPaid],
    );
    check(
        &[Input::Ask(Request::Review(true))],
        New,
        &[Flag::UnderReview],
    );
    check(
        &[
            Input::Ask(Request::Review(true)),
            Input::Ask(Request::Review(false)),
        ],
        New,
        &[],
    );
}

#[test]
fn refunds_by_the_shop() {
    let give_back = |attempt_name: Option<&str>, amount| Request::Refund {
        id: refund_id("r1"),
        attempt: attempt_name.map(attempt),
        amount,
    };
    let try_on = |order: &ordercast_core::order::Order, asked| {
        request(order, &asked, &cause(1)).map(|changed| changed.to)
    };
    let paid_once = after(&[paid("a", 199)]);
    assert_eq!(try_on(&paid_once, give_back(None, None)), Ok(Canceled));
    assert_eq!(
        try_on(&paid_once, give_back(Some("a"), Some(usd(1)))),
        Ok(Paid)
    );
    assert_eq!(
        try_on(&paid_once, give_back(None, Some(usd(200)))),
        Err(Refusal::TooMuch)
    );
    assert_eq!(
        try_on(&paid_once, give_back(Some("b"), None)),
        Err(Refusal::UnknownAttempt)
    );
    let euro = Money::new(1, Currency::new("EUR").expect("code")).expect("range");
    assert_eq!(
        try_on(&paid_once, give_back(None, Some(euro))),
        Err(Refusal::Currency)
    );
    assert_eq!(
        try_on(&order(), give_back(None, None)),
        Err(Refusal::NothingPaid)
    );
    let twice = after(&[paid("a", 199), paid("b", 199)]);
    assert_eq!(
        try_on(&twice, give_back(None, None)),
        Err(Refusal::AmbiguousAttempt)
    );
    let part = request(&paid_once, &give_back(None, Some(usd(1))), &cause(1)).expect("granted");
    assert_eq!(
        try_on(&part.order, give_back(None, Some(usd(1)))),
        Err(Refusal::RefundExists)
    );
    let undo = Request::ReverseRefund {
        id: refund_id("r1"),
    };
    assert_eq!(try_on(&part.order, undo.clone()), Ok(Paid));
    assert_eq!(try_on(&paid_once, undo), Err(Refusal::UnknownRefund));
}

#[test]
fn another_currency_is_flagged_not_counted() {
    let euro = Money::new(199, Currency::new("EUR").expect("code")).expect("range");
    let told = Input::Hear(Fact::paid(attempt("a"), euro));
    check(std::slice::from_ref(&told), New, &[Flag::AmountMismatch]);
    check(&[told, paid("b", 199)], Paid, &[Flag::AmountMismatch]);
}

#[test]
fn the_project_may_complete_orders_when_they_are_paid() {
    let rules = Rules {
        complete_on_paid: true,
    };
    let at = ordercast_core::Timestamp::from_millis(5);
    assert!(follow(&order(), rules, at).is_none());
    let (done, rule, _) = follow(&after(&[paid("a", 199)]), rules, at).expect("a consequence");
    assert_eq!((done.to, rule), (Done, "complete_on_paid"));
    assert!(follow(&done.order, rules, at).is_none());
}

#[test]
fn rows_of_the_first_version_are_read() {
    let read = |text: &str| {
        let facets = serde_json::from_str(text).expect("reads");
        ordercast_core::order::Order { facets, ..order() }
    };
    let done = read(
        r#"{"attempts":[{"id":"42","paid":199}],"settled":true,"fulfilment":"delivered","life":"open"}"#,
    );
    assert_eq!((done.status(), done.facets.net_paid()), (Done, 199));
    let refunded = read(
        r#"{"attempts":[{"id":"42","paid":199,"refunded":true}],"settled":true,"fulfilment":"delivered","life":"canceled"}"#,
    );
    assert_eq!(
        (refunded.status(), refunded.facets.payment()),
        (Canceled, PaymentState::Refunded)
    );
    let fresh =
        read(r#"{"attempts":[{"id":"1","failed":true}],"fulfilment":"none","life":"open"}"#);
    assert_eq!(
        (fresh.status(), fresh.facets.payment()),
        (New, PaymentState::Failed)
    );
    let fact = r#"{"fact":"refunded","attempt":"42"}"#;
    let Input::Hear(whole) = crate::support::refunded("42") else {
        unreachable!()
    };
    assert_eq!(serde_json::from_str::<Fact>(fact).expect("reads"), whole);
}
