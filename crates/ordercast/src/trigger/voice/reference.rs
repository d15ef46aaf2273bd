//! The reference provider (store contract, section 3), as the demo speaks it, with the kinds that the
//! demo has no use for.

use super::{Common, Headers, Setting, Unsigned, Voice, kind, text};
use crate::{
    demo::webhook::{self, Mode, Price},
    trigger::payment::Payment,
};
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("order_paid")
            .is(Common::Paid)
            .undone_by("order_canceled"),
        kind("order_canceled").is(Common::Refunded),
        kind("payment").undone_by("refund"),
        kind("refund"),
        kind("partial_refund").is(Common::RefundedInPart),
        kind("refund:2"),
        kind("user_validation"),
        kind("ps_declined").is(Common::Failed),
        kind("afs_reject"),
        kind("dispute:retrieval"),
        kind("dispute:new").is(Common::DisputeOpened),
        kind("dispute:won").is(Common::DisputeWon),
        kind("dispute:lost").is(Common::DisputeLost),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, setting: Setting<'_>) -> Vec<u8> {
    let mode = if setting.is_separate {
        Mode::Separate
    } else {
        Mode::Combined
    };
    let (bare, case) = word.split_once(':').unwrap_or((word, ""));
    match <webhook::Kind as clap::ValueEnum>::from_str(bare, false) {
        Ok(known) if case.is_empty() => billed(payment).body(known, mode),
        _ => text(&other(bare, case, payment)),
    }
}

fn billed(payment: &Payment) -> webhook::Payment {
    let told = payment.back();
    webhook::Payment {
        project_id: payment.project,
        order: payment.order,
        user: payment.user.clone(),
        price: Price {
            amount: told.amount(),
            currency: told.currency.to_string(),
        },
        items: payment.items.clone(),
        is_sandbox: payment.is_test,
        at: payment.at,
    }
}

/// What the demo does not tell, in the shape of what it does.
fn other(kind: &str, case: &str, payment: &Payment) -> Value {
    let like = match kind {
        "refund" => webhook::Kind::Refund,
        _ => webhook::Kind::Payment,
    };
    let bytes = billed(payment).body(like, Mode::Separate);
    let mut body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    body["notification_type"] = kind.into();
    match kind {
        "refund" => body["refund_details"] = json!({ "code": 2, "reason": "Chargeback" }),
        "dispute" => {
            let (of, status) = match case {
                "retrieval" => ("retrieval", "new"),
                status => ("1st_time_chargeback", status),
            };
            body["action"] = "updating".into();
            body["dispute"] = json!({ "type": of, "status": status });
        }
        _ => {}
    }
    body
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let signature = webhook::signature(unsigned.body, unsigned.secret);
    vec![("authorization", format!("Signature {signature}"))]
}
