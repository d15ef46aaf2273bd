//! Where two tell of the same money, and where what is told cannot be counted.

use crate::support::*;
use DisputeState::{Lost, Opened, Won};
use Status::{Canceled, Done, New, Paid};
use ordercast_core::order::{
    DisputeState, Fact, Flag, Mode, PriceRule, Refusal, Request, Status, Target, UnreadableAmount,
    request,
};

#[track_caller]
fn check(inputs: &[Input], status: Status, net: i64, flags: &[Flag]) {
    let end = after(inputs);
    let raised: Vec<_> = end.facets.flags.iter().copied().collect();
    assert_eq!(
        (end.status(), end.facets.net_paid(), &*raised),
        (status, net, flags),
        "{inputs:?}"
    );
    let entries = end.facets.ledger();
    let sum: i64 = entries.iter().map(|entry| entry.minor).sum();
    assert_eq!(sum, net, "the ledger's sum: {entries:?}");
    let stored = serde_json::to_string(&end.facets).expect("serialises");
    let read: ordercast_core::order::Facets = serde_json::from_str(&stored).expect("reads");
    assert_eq!(read, end.facets, "what is stored comes back: {stored}");
}

const BY_HAND: &[Flag] = &[Flag::MarkedPaid];

#[test]
fn a_mark_by_hand_is_replaced_by_real_money() {
    let mark = || ask(Target::Paid);
    check(&[mark()], Paid, 199, BY_HAND);
    check(&[mark(), paid("a", 199)], Paid, 199, BY_HAND);
    check(
        &[mark(), paid("a", 199), refunded("a")],
        Canceled,
        0,
        BY_HAND,
    );
    check(
        &[mark(), refunded("a"), paid("a", 199)],
        Canceled,
        0,
        BY_HAND,
    );
    check(&[paid("a", 199), mark(), refunded("a")], Canceled, 0, &[]);
    check(
        &[mark(), paid("a", 199), refund("a", "r", 50)],
        Paid,
        149,
        BY_HAND,
    );
    check(
        &[mark(), paid("a", 199), dispute("a", Lost)],
        Canceled,
        0,
        BY_HAND,
    );
    // Real money in parts, before and after the mark.
    check(&[paid("a", 100), mark()], Paid, 199, BY_HAND);
    check(&[paid("a", 100), mark(), paid("b", 99)], Paid, 199, BY_HAND);
    check(
        &[paid("a", 100), mark(), refunded("a")],
        Canceled,
        0,
        BY_HAND,
    );
    check(&[mark(), paid("a", 100)], Paid, 199, BY_HAND);
    check(
        &[mark(), paid("a", 100), refunded("a")],
        Canceled,
        0,
        BY_HAND,
    );
    check(
        &[mark(), captured("a", "1", 100), captured("a", "2", 99)],
        Paid,
        199,
        BY_HAND,
    );
    // A second real payment is one too many, the shop's word is not.
    let twice = &[Flag::MarkedPaid, Flag::DuplicatePayment];
    check(&[mark(), paid("a", 199), paid("b", 199)], Paid, 398, twice);
    // What failed in the end leaves the shop's word.
    let failed = &[Flag::MarkedPaid, Flag::CaptureFailed];
    check(
        &[mark(), paid("a", 199), capture_failed("a", None, None)],
        Paid,
        199,
        failed,
    );
    // The shop gives its own money back.
    check(&[mark(), give_back("r", 199)], Canceled, 0, BY_HAND);
    check(
        &[mark(), give_back("r", 50), paid("a", 199)],
        Paid,
        199,
        BY_HAND,
    );
}

#[test]
fn a_refund_that_both_sides_tell_is_one() {
    let bought = |more: &[Input]| {
        let mut inputs = vec![paid("a", 200), ask(Target::Done)];
        inputs.extend_from_slice(more);
        inputs
    };
    let by_shop = |id: &str| give_back(id, 100);
    let told = |id: &str| refund("a", id, 100);
    let over = &[Flag::PaidOver];
    check(&bought(&[by_shop("s1"), told("p1")]), Done, 100, &[]);
    check(&bought(&[told("p1"), by_shop("s1")]), Done, 100, &[]);
    check(
        &bought(&[by_shop("s1"), told("p1"), told("p1")]),
        Done,
        100,
        &[],
    );
    check(&bought(&[by_shop("p1"), told("p1")]), Done, 100, &[]);
    check(&bought(&[told("p1"), by_shop("p1")]), Done, 100, &[]);
    check(
        &bought(&[by_shop("s1"), refund_unnamed("a", 100)]),
        Done,
        100,
        &[],
    );
    // One to one.
    check(
        &bought(&[by_shop("s1"), told("p1"), told("p2")]),
        Canceled,
        0,
        &[],
    );
    check(
        &bought(&[by_shop("s1"), told("p1"), by_shop("s2")]),
        Canceled,
        0,
        &[],
    );
    check(
        &bought(&[by_shop("s1"), told("p1"), by_shop("s2"), told("p2")]),
        Canceled,
        0,
        &[],
    );
    // Another amount is another refund.
    check(&bought(&[give_back("s1", 50), told("p1")]), Done, 50, &[]);
    // A name is surer than an amount.
    check(
        &bought(&[by_shop("p2"), told("p1"), told("p2")]),
        Canceled,
        0,
        &[],
    );
    // Sums.
    check(
        &bought(&[by_shop("s1"), refund_total("a", 100)]),
        Done,
        100,
        &[],
    );
    check(
        &bought(&[refund_total("a", 100), by_shop("s1")]),
        Done,
        100,
        &[],
    );
    check(
        &bought(&[refund_total("a", 100), give_back("s1", 30)]),
        Done,
        70,
        &[],
    );
    let grown = [
        refund_total("a", 100),
        give_back("s1", 30),
        refund_total("a", 130),
    ];
    check(&bought(&grown), Done, 70, &[]);
    check(
        &bought(&[give_back("s1", 200), refunded("a")]),
        Canceled,
        0,
        &[],
    );
    check(
        &bought(&[refunded("a"), give_back("s1", 200)]),
        Canceled,
        0,
        &[],
    );
    // Reversed by either side.
    let back = |id: &str| Input::Ask(Request::ReverseRefund { id: refund_id(id) });
    check(
        &bought(&[by_shop("s1"), told("p1"), reversed("a", Some("p1"))]),
        Done,
        200,
        over,
    );
    check(
        &bought(&[by_shop("s1"), told("p1"), back("s1")]),
        Done,
        200,
        over,
    );
    check(
        &bought(&[by_shop("s1"), told("p1"), back("p1")]),
        Done,
        200,
        over,
    );
    check(
        &bought(&[by_shop("s1"), reversed("a", Some("p1")), told("p1")]),
        Done,
        200,
        over,
    );
    check(
        &bought(&[
            by_shop("s1"),
            told("p1"),
            back("s1"),
            reversed("a", Some("p1")),
        ]),
        Done,
        200,
        over,
    );
}

#[test]
fn a_refund_without_a_name_that_is_told_twice_is_flagged() {
    let inputs = [paid("a", 199), refund_unnamed("a", 50)];
    check(&inputs, Paid, 149, &[]);
    let [bought, once] = inputs;
    check(
        &[bought, once.clone(), once],
        Paid,
        149,
        &[Flag::RefundRepeated],
    );
    let twin = Input::Hear(Fact::MayBeATwin {
        attempt: attempt("a"),
    });
    check(
        &[paid("a", 199), refund("a", "r", 50), twin],
        Paid,
        149,
        &[Flag::RefundRepeated],
    );
}

#[test]
fn an_amount_that_cannot_be_read_moves_no_money() {
    use UnreadableAmount::{Dispute, Payment, Refund};
    let flag = &[Flag::UnreadableAmount];
    check(&[unreadable("a", Payment)], New, 0, flag);
    check(&[unreadable("a", Payment), paid("a", 199)], Paid, 199, flag);
    check(&[paid("a", 199), unreadable("a", Refund)], Paid, 199, flag);
    check(&[paid("a", 199), unreadable("a", Dispute)], Paid, 199, flag);
    let end = after(&[paid("a", 199), unreadable("a", Refund)]);
    let note = end.facets.note(Flag::UnreadableAmount);
    assert_eq!(
        note,
        "refund of payment a: the amount cannot be read: 2.505 USD"
    );
}

#[test]
fn test_money_is_no_money() {
    let test = |fact| Input::HearOf(Mode::Sandbox, fact);
    let live = |fact| Input::HearOf(Mode::Default, fact);
    let whole = || fact(paid("a", 199));
    check(&[test(whole())], New, 0, &[Flag::TestPayment]);
    check(&[live(whole())], Paid, 199, &[]);
    check(
        &[test(whole()), live(whole())],
        Paid,
        199,
        &[Flag::TestPayment],
    );
    check(
        &[paid("a", 199), test(fact(refunded("a")))],
        Paid,
        199,
        &[Flag::TestPayment],
    );
}

#[test]
fn captures_in_parts_are_a_set() {
    let first = || captured("a", "c1", 100);
    let second = || captured("a", "c2", 99);
    check(&[first()], New, 100, &[Flag::PaidPartial]);
    check(&[first(), second()], Paid, 199, &[]);
    check(&[second(), first(), second()], Paid, 199, &[]);
    check(
        &[Input::Hear(authorized("a")), first(), second()],
        Paid,
        199,
        &[],
    );
    // Told as a whole too.
    check(&[paid("a", 199), first(), second()], Paid, 199, &[]);
    let failed = &[Flag::CaptureFailed];
    let second_failed = || capture_failed("a", Some("c2"), Some(99));
    check(&[first(), second(), second_failed()], Paid, 100, failed);
    check(
        &[first(), second_failed(), second()],
        New,
        100,
        &[Flag::PaidPartial],
    );
    check(
        &[paid("a", 199), capture_failed("a", None, None)],
        Canceled,
        0,
        failed,
    );
    check(
        &[paid("a", 199), capture_failed("a", Some("c1"), Some(199))],
        Canceled,
        0,
        failed,
    );
    check(
        &[capture_failed("a", Some("c1"), None), paid("a", 199)],
        New,
        0,
        &[],
    );
    // It is captured once more.
    let again = [
        paid("a", 199),
        capture_failed("a", None, None),
        captured("a", "c2", 199),
    ];
    check(&again, Paid, 199, failed);
    // Which one failed is not told.
    check(
        &[first(), second(), capture_failed("a", None, Some(99))],
        Paid,
        100,
        failed,
    );
    check(
        &[first(), second(), capture_failed("a", None, None)],
        Paid,
        199,
        failed,
    );
}

#[test]
fn disputes_of_one_payment_are_each_their_own() {
    let part = |id, state| disputed("a", id, state, Some(usd(50)));
    check(
        &[paid("a", 199), part("d1", Lost), part("d2", Opened)],
        Paid,
        149,
        &[],
    );
    check(
        &[paid("a", 199), part("d1", Lost), part("d2", Lost)],
        Paid,
        99,
        &[],
    );
    check(
        &[paid("a", 199), part("d1", Won), part("d2", Lost)],
        Paid,
        149,
        &[],
    );
    check(
        &[paid("a", 199), part("d1", Lost), part("d2", Won)],
        Paid,
        149,
        &[],
    );
    // Told with and without its name.
    let unnamed = Input::Hear(Fact::Disputed {
        attempt: attempt("a"),
        state: Lost,
        amount: Some(usd(50)),
        dispute: None,
    });
    check(
        &[paid("a", 199), unnamed.clone(), part("d1", Lost)],
        Paid,
        149,
        &[],
    );
    check(&[paid("a", 199), part("d1", Lost), unnamed], Paid, 149, &[]);
    let foreign = disputed("a", "d1", Lost, Some(euros(50)));
    check(
        &[paid("a", 199), foreign],
        Canceled,
        0,
        &[Flag::AmountMismatch],
    );
}

#[test]
fn nothing_is_due() {
    let nothing = || Fact::NothingDue {
        attempt: attempt("a"),
    };
    check(&[Input::Hear(nothing())], New, 0, &[Flag::NothingDue]);
    check(&[paid("a", 0)], New, 0, &[Flag::NothingDue]);
    let vouched = |fact| Input::HearBy(PriceRule::ProviderTotal, fact);
    check(&[vouched(nothing())], Paid, 0, &[]);
    check(&[vouched(nothing()), refunded("a")], Canceled, 0, &[]);
}

#[test]
fn a_source_decides_what_is_enough() {
    let at_least =
        |percent, minor| Input::HearBy(PriceRule::AtLeast { percent }, fact(paid("a", minor)));
    check(&[at_least(75, 150)], Paid, 150, &[]);
    check(&[at_least(75, 149)], New, 149, &[Flag::PaidPartial]);
    check(
        &[at_least(75, 150), refund("a", "r", 150)],
        Canceled,
        0,
        &[],
    );
    let vouched = |total| Input::HearBy(PriceRule::ProviderTotal, paid_total("a", total));
    // A coupon, taxes on top, another currency.
    check(&[vouched(usd(149))], Paid, 149, &[]);
    check(&[vouched(usd(237))], Paid, 237, &[]);
    check(&[vouched(euros(180))], Paid, 199, &[]);
    let twice = Input::HearBy(PriceRule::ProviderTotal, paid_total("b", usd(149)));
    check(
        &[vouched(usd(149)), twice],
        Paid,
        298,
        &[Flag::DuplicatePayment],
    );
    // Refunds are told in the currency of the payment.
    let back = |minor| {
        Input::Hear(Fact::Refunded {
            attempt: attempt("a"),
            refund: Some(refund_id("r")),
            amount: ordercast_core::order::Refunded::Part(euros(minor)),
        })
    };
    check(&[vouched(euros(180)), back(180)], Canceled, 0, &[]);
    check(&[vouched(euros(180)), back(90)], Paid, 99, &[]);
    // Without the rule, the total is only told.
    check(
        &[Input::Hear(paid_total("a", usd(149)))],
        New,
        149,
        &[Flag::PaidPartial],
    );
    check(
        &[Input::Hear(paid_total("a", euros(180)))],
        New,
        0,
        &[Flag::AmountMismatch],
    );
}

#[test]
fn the_price_may_change_while_nothing_is_paid() {
    let to = |price| Input::Ask(Request::Reprice(price));
    check(&[to(usd(149)), paid("a", 149)], Paid, 149, &[]);
    check(&[to(usd(0))], Paid, 0, &[]);
    let refused = |inputs: &[Input], price| {
        request(&after(inputs), &Request::Reprice(price), &cause(1)).err()
    };
    assert_eq!(
        refused(&[paid("a", 100)], usd(100)),
        Some(Refusal::PriceFixed)
    );
    assert_eq!(
        refused(&[paid("a", 199)], usd(100)),
        Some(Refusal::PriceFixed)
    );
    assert_eq!(refused(&[expired()], usd(100)), Some(Refusal::PriceFixed));
    assert_eq!(refused(&[], usd(199)), Some(Refusal::Unchanged));
    assert_eq!(refused(&[], euros(100)), Some(Refusal::ItemsCurrency));
    // What was paid in the other currency counts once it is the order's.
    let mut plain = after(&[]);
    plain.content.items.clear();
    let told = step(&plain, &Input::Hear(Fact::paid(attempt("a"), euros(180)))).0;
    assert_eq!((told.status(), told.facets.net_paid()), (New, 0));
    let priced = step(&told, &to(euros(180))).0;
    assert_eq!((priced.status(), priced.facets.net_paid()), (Paid, 180));
}

#[test]
fn money_always_finds_room() {
    let declined = (0..150).map(|n| failed(&format!("declined {n}")));
    let inputs: Vec<_> = declined.chain([paid("a", 199)]).collect();
    check(&inputs, Paid, 199, &[]);
    let paid_often = (0..150).map(|n| paid(&format!("paid {n}"), 1));
    let end = after(&paid_often.collect::<Vec<_>>());
    assert_eq!(end.facets.net_paid(), 100);
    assert!(end.facets.flags.contains(&Flag::TooManyRecords));
    let refunds = (0..150).map(|n| refund("a", &format!("r{n}"), 1));
    let inputs: Vec<_> = [paid("a", 199)].into_iter().chain(refunds).collect();
    check(&inputs, Paid, 99, &[Flag::TooManyRecords]);
}

#[test]
fn names_that_the_server_gives_are_refused_from_outside() {
    let name = ordercast_core::ids::AttemptId::known("manual:2").expect("a name of ours");
    assert!(ordercast_core::ids::AttemptId::new("manual:2").is_err());
    let pay = Input::Hear(Fact::paid(name.clone(), usd(199)));
    let back = Input::Hear(Fact::Refunded {
        attempt: name,
        refund: None,
        amount: ordercast_core::order::Refunded::Whole,
    });
    check(&[back, ask(Target::Paid)], Paid, 199, BY_HAND);
    check(&[pay], New, 0, &[]);
}

#[test]
fn one_name_at_two_sources_is_two_payments() {
    let from = |source, minor| Input::HearFrom(source, Fact::paid(attempt("1"), usd(minor)));
    check(&[from("x", 100), from("y", 99)], Paid, 199, &[]);
    check(&[from("x", 199), from("x", 199)], Paid, 199, &[]);
    // One whose source is not known is whoever's tells of it next.
    check(&[paid("1", 199), from("x", 199)], Paid, 199, &[]);
}

#[test]
fn a_flag_is_lowered_by_hand() {
    let lower = |flag| Input::Ask(Request::Lower(flag));
    let unread = || unreadable("a", UnreadableAmount::Payment);
    check(&[unread(), lower(Flag::UnreadableAmount)], New, 0, &[]);
    let twice = [
        paid("a", 199),
        paid("b", 199),
        lower(Flag::DuplicatePayment),
    ];
    check(&twice, Paid, 398, &[]);
    // Its reason has ended; the next one is shown again.
    let [first, second, lowered] = twice;
    let again = [first, second, lowered, refunded("b"), paid("c", 199)];
    check(&again, Paid, 398, &[Flag::DuplicatePayment]);
    let none = request(&after(&[]), &Request::Lower(Flag::PaidOver), &cause(1));
    assert_eq!(none.err(), Some(Refusal::NoSuchFlag));
}

#[test]
fn every_flag_is_explained() {
    let page = include_str!("../../../../docs/flags.md");
    for flag in Flag::ALL {
        let name = serde_json::to_value(flag).expect("serialises");
        let row = format!("| `{}` |", name.as_str().expect("text"));
        assert!(page.contains(&row), "docs/flags.md has no row {row}");
    }
}

#[test]
fn a_refund_of_nothing_is_refused() {
    let asked = Request::Refund {
        id: refund_id("r"),
        attempt: None,
        amount: Some(usd(0)),
    };
    let refused = request(&after(&[paid("a", 199)]), &asked, &cause(1)).err();
    assert_eq!(refused, Some(Refusal::NothingToRefund));
}
