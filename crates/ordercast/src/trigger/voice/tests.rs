//! What is said here is what the server's adapters verify and understand.

use super::*;
use crate::demo::webhook::Item;
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    money::{Currency, Money},
    provider::{Event, Request, SourceSettings, Subject, mollie_payment, read, verify},
};
use time::OffsetDateTime;

const AT: i64 = 1_790_000_000;

fn money(amount: &str) -> Money {
    Money::parse(amount, Currency::new("USD").expect("code")).expect("amount")
}

fn payment() -> Payment {
    Payment {
        project: 7,
        order: OrderId::new(1_000_001).expect("id"),
        user: "alice".to_owned(),
        items: vec![Item {
            sku: "lantern".to_owned(),
            quantity: 1,
            price: None,
        }],
        paid: money("10.00"),
        part: None,
        is_test: false,
        number: 1,
        refund: 1,
        at: OffsetDateTime::from_unix_timestamp(AT).expect("time"),
    }
}

const fn secret(provider: Provider) -> &'static str {
    match provider {
        Provider::Adyen => "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        Provider::Standard => "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        _ => "a secret of the source",
    }
}

fn said(provider: Provider, word: &str, payment: &Payment) -> (Headers, Vec<u8>) {
    let voice = of(provider);
    let setting = Setting {
        secret: secret(provider),
        is_separate: true,
        fields: None,
    };
    let body = (voice.body)(word, payment, setting);
    let sign = voice.sign.unwrap_or(|_| Vec::new());
    let headers = sign(Unsigned {
        secret: secret(provider),
        body: &body,
        id: "msg_1",
        at: AT,
    });
    (headers, body)
}

fn understood(provider: Provider, word: &str, payment: &Payment) -> Event {
    let (headers, body) = said(provider, word, payment);
    let mut all: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    all.push(("content-type", "application/json"));
    let request = Request {
        headers: &all,
        body: &body,
    };
    let settings = SourceSettings::default();
    if of(provider).sign.is_some() && provider.is_signed() && word != "REPORT_AVAILABLE" {
        let now = Timestamp::from_seconds(AT);
        let verified = verify(provider, request, &[secret(provider)], now);
        assert!(verified.is_ok(), "{provider:?} {word}");
    }
    let events = if provider == Provider::Mollie {
        let answer = mollie_answer(word, payment);
        mollie_payment(&answer.body, &settings)
    } else {
        let project = ProjectId::new(7).expect("id");
        read(provider, request, project, &settings, "hash")
    };
    let events = events.unwrap_or_else(|error| panic!("{provider:?} {word}: {error}"));
    events.into_iter().next_back().expect("an event")
}

/// The tag of a stored fact with a dispute's state, or `nothing`.
fn fact(event: &Event) -> String {
    let value = serde_json::to_value(&event.fact).expect("a value");
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    match (text("fact"), text("state")) {
        (Some(fact), Some(state)) => format!("{fact}:{state}"),
        (Some(fact), None) => fact,
        _ => "nothing".to_owned(),
    }
}

#[test]
fn what_is_told_is_what_the_server_understands() {
    for provider in Provider::ALL {
        for kind in of(provider).kinds {
            let event = understood(provider, kind.word, &payment());
            let told = fact(&event);
            let wanted: &[&str] = match kind.common {
                Some(Common::Pending) => &["payment_pending"],
                Some(Common::Authorized) => &["payment_authorized"],
                Some(Common::Paid) => &["paid"],
                Some(Common::Failed) => &["payment_failed"],
                Some(Common::Refunded | Common::RefundedInPart) => &["refunded"],
                Some(Common::RefundFailed) => &["refund_reversed"],
                Some(Common::DisputeOpened) => &["disputed:opened"],
                Some(Common::DisputeWon) => &["disputed:won"],
                Some(Common::DisputeLost) => &["disputed:lost"],
                Some(Common::NothingDue) => &["nothing_due"],
                None => continue,
            };
            assert!(
                wanted.contains(&told.as_str()),
                "{provider:?} {}: {told}, not {wanted:?}",
                kind.word
            );
            assert!(
                !matches!(event.subject, Subject::Unknown | Subject::Unreadable(_)),
                "{provider:?} {}: {:?}",
                kind.word,
                event.subject
            );
        }
    }
}

#[test]
fn words_that_all_share_name_one_event_of_each_provider() {
    for provider in Provider::ALL {
        if provider == Provider::Standard {
            continue;
        }
        for common in [Common::Paid, Common::Failed] {
            assert!(
                find(provider, common.as_str(), false).is_ok(),
                "{provider:?} {common:?}"
            );
        }
        for kind in of(provider).kinds {
            assert!(find(provider, kind.word, false).is_ok());
            if let Some(word) = kind.undone_by {
                assert!(find(provider, word, false).is_ok(), "{provider:?} {word}");
            }
        }
    }
    let error = find(Provider::Stripe, "order_paid", false).expect_err("not its word");
    assert!(
        error.to_string().contains("payment_intent.succeeded"),
        "{error}"
    );
}
