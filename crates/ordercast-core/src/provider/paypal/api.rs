//! What PayPal's API is asked. It finds orders and captures by their own ids only: asked for are those
//! that a webhook has named, for example in `CHECKOUT.ORDER.APPROVED`.

use super::{
    super::{
        Amount,
        json::Json,
        question::{About, Answer, Api, Authorization, Paper, Question, plain},
        told::{Told, ToldRefund},
    },
    read,
};
use serde_json::{Value, json};

pub const API: Api = Api {
    host: "https://api-m.paypal.com",
    authorization: Authorization::Token {
        pair: "CLIENT_ID:SECRET",
        path: "/v1/oauth2/token",
    },
    headers: &[],
};

/// *Show order details* and *Show captured payment details*: an id does not show which of both it names,
/// and for the other one PayPal answers that there is none.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let ids = about
        .attempts
        .iter()
        .filter_map(|id| plain(id.as_str(), ""));
    ids.flat_map(|id| [of_order(id), of_capture(id)]).collect()
}

fn of_order(id: &str) -> Question {
    Question::new(format!("/v2/checkout/orders/{id}"), |order| {
        let units = order.list("/purchase_units").unwrap_or_default();
        let mut papers = Vec::new();
        for unit in &units {
            // Refunds first: an order whose money is gone must not be paid for a moment.
            for (list, word) in [
                ("/payments/refunds", "PAYMENT.CAPTURE.REFUNDED"),
                ("/payments/captures", ""),
            ] {
                let found = unit.list(list).unwrap_or_default();
                papers.extend(
                    found
                        .iter()
                        .filter_map(|resource| paper(word, resource, unit)),
                );
            }
        }
        Ok(Answer::of(papers))
    })
}

/// A capture tells of its refunds only whether there were any: then its order is asked, where they stand.
fn of_capture(id: &str) -> Question {
    Question::new(format!("/v2/payments/captures/{id}"), |capture| {
        let status = capture.text("/status").unwrap_or_default();
        let order = capture.text("/supplementary_data/related_ids/order_id");
        let order = order.as_deref().and_then(|order| plain(order, ""));
        Ok(match (status.as_str(), order) {
            ("REFUNDED" | "PARTIALLY_REFUNDED", Some(order)) => Answer {
                papers: Vec::new(),
                next: vec![of_order(order)],
            },
            ("REFUNDED" | "PARTIALLY_REFUNDED", None) => Answer::of(refunded(capture)),
            _ => Answer::of(paper("", capture, capture)),
        })
    })
}

/// The webhook that would tell what became of a capture, or that there was a refund. `unit` names the
/// order where the resource does not.
fn paper(word: &str, resource: &Json, unit: &Json) -> Option<Paper> {
    let status = resource.text("/status")?;
    let kind = match (word, status.as_str()) {
        ("PAYMENT.CAPTURE.REFUNDED", "COMPLETED" | "PENDING") => word,
        ("", "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED") => "PAYMENT.CAPTURE.COMPLETED",
        ("", "PENDING") => "PAYMENT.CAPTURE.PENDING",
        ("", "DECLINED" | "FAILED") => "PAYMENT.CAPTURE.DECLINED",
        _ => return None,
    };
    let mut resource = resource.at("")?.clone();
    for name in ["custom_id", "invoice_id"] {
        if resource.get(name).is_none_or(Value::is_null) {
            resource[name] = json!(unit.at(&format!("/{name}")));
        }
    }
    let id = resource.get("id")?.as_str()?.to_owned();
    let event = json!({
        "id": format!("asked:{id}:{status}"),
        "event_type": kind,
        "resource": resource,
    });
    let told = read(&Json::of(event.clone())).ok()?;
    Some(Paper::new(&event, vec![told]))
}

/// A capture of which some or all went back, without an order where its refunds stand.
fn refunded(capture: &Json) -> Option<Paper> {
    let status = capture.text("/status")?;
    let id = capture.text("/id")?;
    let event = json!({
        "id": format!("asked:{id}:{status}"),
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource": capture.at("")?,
    });
    let paid = read(&Json::of(event.clone())).ok()?;
    let back = Told {
        word: "PAYMENT.CAPTURE.REFUNDED".to_owned(),
        dedup_key: format!("asked:{id}:{status}:back"),
        refunded: if status == "REFUNDED" {
            ToldRefund::Whole
        } else {
            ToldRefund::Part(Amount::unreadable("partially refunded"))
        },
        ..paid.clone()
    };
    Some(Paper::new(&event, vec![back, paid]))
}
