//! What Stripe's API is asked: the object of a thin event, and the payments of an order of which nothing
//! was heard. All in one API version, so that its answers have one shape.

use super::{
    super::{
        json::Json,
        question::{About, Answer, Api, Authorization, Paper, Question, Thin, plain},
        told::{Told, ToldRefund},
    },
    THIN, charge, read,
};
use crate::ids::AttemptId;
use serde_json::{Value, json};

/// The version in which what is not captured is no refund any more.
const VERSION: &str = "2025-03-31.basil";

pub const API: Api = Api {
    host: "https://api.stripe.com",
    authorization: Authorization::Bearer,
    headers: &[("stripe-version", VERSION)],
};

/// *Retrieve a PaymentIntent* (or a session, a charge) for those that have been heard of, and *Search
/// PaymentIntents* by the metadata that names the order. The newest charge comes with each: an intent
/// stays `succeeded` when all its money has gone back.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    let mut questions: Vec<_> = heard_of.filter_map(of_attempt).collect();
    // Of the search's own language only digits are put into it.
    let path = format!(
        "/v1/payment_intents/search?limit=20&expand%5B%5D=data.latest_charge\
         &query=metadata%5B%27order_id%27%5D%3A%27{}%27",
        about.order
    );
    questions.push(Question::new(path, |found| {
        let intents = found.list("/data").unwrap_or_default();
        Ok(answer(&intents))
    }));
    questions
}

fn of_attempt(id: &str) -> Option<Question> {
    if let Some(id) = plain(id, "pi_") {
        let path = format!("/v1/payment_intents/{id}?expand%5B%5D=latest_charge");
        return Some(Question::new(path, |intent| {
            Ok(answer(std::slice::from_ref(intent)))
        }));
    }
    let id = plain(id, "cs_")?;
    let path = format!("/v1/checkout/sessions/{id}");
    Some(Question::new(path, |session| {
        Ok(Answer::of(of_session(session)))
    }))
}

fn answer(intents: &[Json]) -> Answer {
    Answer {
        papers: intents.iter().filter_map(of_intent).collect(),
        next: intents.iter().filter_map(disputes_of).collect(),
    }
}

/// The webhook that would tell where a payment intent is, after what has been given back of it: so an
/// order whose money is gone is not paid for a moment.
fn of_intent(intent: &Json) -> Option<Paper> {
    let status = intent.text("/status")?;
    let kind = match status.as_str() {
        "succeeded" => "payment_intent.succeeded",
        "processing" => "payment_intent.processing",
        "requires_action" => "payment_intent.requires_action",
        "requires_capture" => "payment_intent.amount_capturable_updated",
        "canceled" => "payment_intent.canceled",
        _ => return None,
    };
    let id = intent.text("/id")?;
    let event = event(&format!("asked:{id}:{status}"), kind, intent)?;
    let told = Told {
        // The intent itself may be older than its order: shops make it when a cart is opened.
        began_at: intent.seconds("/latest_charge/created"),
        ..read(&Json::of(event.clone())).ok()?
    };
    let mut all = Vec::new();
    if let Some(charge) = intent
        .part("/latest_charge")
        .filter(|it| it.at("/id").is_some())
    {
        let returned = charge::returned(&Json::of(event.clone()), &charge);
        if returned.clone().unless_zero().is_told() {
            all.push(Told {
                word: "charge.refunded".to_owned(),
                dedup_key: format!("asked:{id}:refunded:{returned:?}"),
                refunded: ToldRefund::Total(returned),
                ..told.clone()
            });
        }
    }
    all.push(told);
    Some(Paper::new(&event, all))
}

/// What was disputed of an intent, where its charge says that something was.
fn disputes_of(intent: &Json) -> Option<Question> {
    if intent.flag("/latest_charge/disputed") != Some(true) {
        return None;
    }
    let id = intent.text("/id")?;
    let path = format!(
        "/v1/disputes?limit=20&payment_intent={}",
        plain(&id, "pi_")?
    );
    Some(Question::new(path, |found| {
        let disputes = found.list("/data").unwrap_or_default();
        Ok(Answer::of(disputes.iter().filter_map(of_dispute)))
    }))
}

fn of_dispute(dispute: &Json) -> Option<Paper> {
    let status = dispute.text("/status")?;
    let kind = match status.as_str() {
        "won" | "lost" | "prevented" | "warning_closed" => "charge.dispute.closed",
        _ => "charge.dispute.created",
    };
    let id = dispute.text("/id")?;
    paper(&format!("asked:{id}:{status}"), kind, dispute)
}

fn of_session(session: &Json) -> Option<Paper> {
    let status = session.text("/status")?;
    let kind = match status.as_str() {
        "complete" => "checkout.session.completed",
        "expired" => "checkout.session.expired",
        _ => return None,
    };
    let (id, paid) = (session.text("/id")?, session.text("/payment_status")?);
    paper(&format!("asked:{id}:{status}:{paid}"), kind, session)
}

fn paper(id: &str, kind: &str, object: &Json) -> Option<Paper> {
    let event = event(id, kind, object)?;
    let told = read(&Json::of(event.clone())).ok()?;
    Some(Paper::new(&event, vec![told]))
}

fn event(id: &str, kind: &str, object: &Json) -> Option<Value> {
    Some(json!({
        "id": id,
        "type": kind,
        "livemode": object.at("/livemode"),
        "data": { "object": object.at("")? },
    }))
}

/// A thin event: `v1.payment_intent.succeeded` with the address of its object instead of the object
/// (*Event destinations*, "Thin events"). The address is made here, from the object's type and id: that
/// of the event must be the same.
pub fn thin(body: &Json) -> Option<Thin> {
    if body.text("/object").as_deref() != Some(THIN) {
        return None;
    }
    let kind = body.text("/type")?.strip_prefix("v1.")?.to_owned();
    let id = body.text("/related_object/id")?;
    let (collection, id) = match body.text("/related_object/type")?.as_str() {
        "payment_intent" => ("payment_intents", plain(&id, "pi_")?),
        "checkout.session" => ("checkout/sessions", plain(&id, "cs_")?),
        "charge" => ("charges", plain(&id, "ch_").or_else(|| plain(&id, "py_"))?),
        "refund" => ("refunds", plain(&id, "re_").or_else(|| plain(&id, "pyr_"))?),
        "dispute" => ("disputes", plain(&id, "dp_").or_else(|| plain(&id, "du_"))?),
        _ => return None,
    };
    let path = format!("/v1/{collection}/{id}");
    if body.text("/related_object/url")? != path {
        return None;
    }
    let key = body.text("/id")?;
    let snapshot = json!({
        "id": key,
        "type": kind,
        "livemode": body.at("/livemode"),
        "created": body.rfc3339("/created").map(|at| at.millis() / 1_000),
    });
    let question = Question::new(path, move |object| {
        let mut event = snapshot.clone();
        event["data"] = json!({ "object": object.at("") });
        let told = read(&Json::of(event.clone()))?;
        Ok(Answer::of([Paper::new(&event, vec![told])]))
    });
    Some(Thin {
        kind: format!("v1.{kind}"),
        dedup_key: Some(key),
        question,
    })
}
