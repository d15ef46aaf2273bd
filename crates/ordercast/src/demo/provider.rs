//! The pretend payment provider: takes the buyer's choice, tells the server by signed webhooks, and
//! misbehaves on request as real ones do.
//!
//! Like a real one it trusts the payment token alone: amount and currency are the order's.

use super::{
    Store,
    api::BuyersOrder,
    buyer::bearer,
    problem::Problem,
    webhook::{self, Kind, Mode, Payment},
};
use axum::{
    Json,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::HeaderMap,
};
use ordercast_core::OrderId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::sleep;

/// How long a late webhook is late.
const LATENESS: Duration = Duration::from_secs(6);
/// Deliveries that are remembered to be shown; the oldest are forgotten.
const DELIVERIES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Pay,
    Decline,
    Refund,
    /// The webhook comes some seconds after the payment.
    Late,
    /// The webhook comes three times, twice at the same moment.
    Twice,
    /// Paid and refunded; the news of the refund comes first.
    OutOfOrder,
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    token: String,
    order_id: OrderId,
    action: Action,
    #[serde(default)]
    mode: Mode,
}

/// One webhook: sent, or still to be sent.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    id: u64,
    #[serde(skip)]
    order: OrderId,
    kind: &'static str,
    /// RFC 3339; of a late one, when it will be sent.
    sent_at: String,
    /// HTTP status; `None` while there is no answer.
    answered: Option<u16>,
    /// The answer's body, or why there is none.
    answer: Value,
}

/// What was sent, newest last. The demo's own memory, not Ordercast's: that is the inbox.
#[derive(Clone, Debug, Default)]
pub struct Deliveries(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    next: u64,
    kept: VecDeque<Delivery>,
}

impl Deliveries {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, order: OrderId, kind: Kind, sent_at: OffsetDateTime) -> u64 {
        let mut log = self.log();
        log.next += 1;
        let id = log.next;
        if log.kept.len() >= DELIVERIES_MAX {
            log.kept.pop_front();
        }
        let sent_at = sent_at.format(&Rfc3339).unwrap_or_default();
        let answer = Value::Null;
        log.kept.push_back(Delivery {
            id,
            order,
            kind: kind.as_str(),
            sent_at,
            answered: None,
            answer,
        });
        id
    }

    fn answered(&self, id: u64, status: Option<u16>, answer: Value) {
        let mut log = self.log();
        if let Some(delivery) = log.kept.iter_mut().find(|delivery| delivery.id == id) {
            delivery.answered = status;
            delivery.answer = answer;
        }
    }

    fn of(&self, order: OrderId) -> Vec<Delivery> {
        self.log()
            .kept
            .iter()
            .filter(|delivery| delivery.order == order)
            .cloned()
            .collect()
    }
}

/// `POST /demo/provider`: the buyer pressed a button on the payment page.
pub async fn act(
    State(store): State<Store>,
    body: Result<Json<Choice>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(choice) = body.map_err(|_| {
        Problem::bad_request(
            "the body must be JSON: {\"token\", \"order_id\", \"action\": \
             \"pay|decline|refund|late|twice|out_of_order\"}",
        )
    })?;
    let order = store
        .api
        .order_of_buyer(choice.order_id, &choice.token)
        .await?;
    check(choice.action, &order.status)?;
    let sender = Sender {
        payment: payment(&store, order).await?,
        store: store.clone(),
        mode: choice.mode,
    };
    let note = sender.act(choice.action).await;
    let order = store
        .api
        .order_of_buyer(choice.order_id, &choice.token)
        .await?;
    Ok(Json(json!({
        "order_id": order.order_id,
        "status": order.status,
        "note": note,
        "deliveries": store.deliveries.of(order.order_id),
    })))
}

#[derive(Debug, Deserialize)]
pub struct Asked {
    order_id: OrderId,
}

/// `GET /demo/provider?order_id=`: what was sent for an order, for the holder of its payment token.
pub async fn deliveries(
    State(store): State<Store>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let Query(Asked { order_id }) = asked.map_err(|_| Problem::not_found())?;
    let token = bearer(&headers).ok_or_else(Problem::not_found)?;
    let order = store.api.order_of_buyer(order_id, token).await?;
    Ok(Json(json!({
        "order_id": order.order_id,
        "status": order.status,
        "deliveries": store.deliveries.of(order.order_id),
    })))
}

/// A provider may repeat itself, but it neither declines nor gives back what is not there.
fn check(action: Action, status: &str) -> Result<(), Problem> {
    let is_paid = matches!(status, "paid" | "done");
    match action {
        Action::Decline if status != "new" => Err(Problem::conflict(
            "only a payment of a new order can be declined",
        )),
        Action::Refund if !is_paid => Err(Problem::conflict("there is no payment to give back")),
        Action::Pay
        | Action::Decline
        | Action::Refund
        | Action::Late
        | Action::Twice
        | Action::OutOfOrder => Ok(()),
    }
}

async fn payment(store: &Store, order: BuyersOrder) -> Result<Payment, Problem> {
    let Some(price) = order.content.price else {
        return Err(Problem::conflict("a free order needs no payment"));
    };
    let checkout = store.api.checkout_of(order.order_id).await?;
    Ok(Payment {
        project_id: store.demo.project_id,
        order: order.order_id,
        user: checkout.user_external_id,
        price,
        items: order.content.items,
        is_sandbox: checkout.mode == ordercast_core::order::Mode::Sandbox,
        at: OffsetDateTime::now_utc(),
    })
}

#[derive(Clone, Debug)]
struct Sender {
    store: Store,
    payment: Payment,
    mode: Mode,
}

impl Sender {
    /// Returns what to tell the buyer.
    async fn act(self, action: Action) -> &'static str {
        match action {
            Action::Pay => {
                self.tell_paid().await;
                "Paid."
            }
            Action::Decline => "The card was declined. No webhook is sent, the order stays new.",
            Action::Refund => {
                self.tell_refunded().await;
                "Refunded."
            }
            Action::Late => {
                let kind = self.paid_kinds()[0];
                let due = OffsetDateTime::now_utc() + LATENESS;
                let id = self.store.deliveries.add(self.payment.order, kind, due);
                tokio::spawn(async move {
                    sleep(LATENESS).await;
                    if self.deliver(id, kind).await && self.mode == Mode::Separate {
                        self.send(Kind::OrderPaid).await;
                    }
                });
                "Paid. The webhook is on its way and takes 6 seconds."
            }
            Action::Twice => {
                // Before the first answer of either: the server must decide between the two.
                tokio::join!(self.send(Kind::OrderPaid), self.send(Kind::OrderPaid));
                self.send(Kind::OrderPaid).await;
                "Paid once, told three times."
            }
            Action::OutOfOrder => {
                self.tell_refunded().await;
                self.tell_paid().await;
                "Paid and refunded; the refund was told first."
            }
        }
    }

    async fn tell_paid(&self) {
        self.send_all(self.paid_kinds()).await;
    }

    async fn tell_refunded(&self) {
        self.send_all(match self.mode {
            Mode::Combined => &[Kind::OrderCanceled],
            Mode::Separate => &[Kind::Refund, Kind::OrderCanceled],
        })
        .await;
    }

    const fn paid_kinds(&self) -> &'static [Kind] {
        match self.mode {
            Mode::Combined => &[Kind::OrderPaid],
            Mode::Separate => &[Kind::Payment, Kind::OrderPaid],
        }
    }

    /// In sequence; an unanswered one blocks the next (store contract, section 3.1).
    async fn send_all(&self, kinds: &[Kind]) {
        for kind in kinds {
            if !self.send(*kind).await {
                break;
            }
        }
    }

    async fn send(&self, kind: Kind) -> bool {
        let now = OffsetDateTime::now_utc();
        let id = self.store.deliveries.add(self.payment.order, kind, now);
        self.deliver(id, kind).await
    }

    /// Whether it was accepted.
    async fn deliver(&self, id: u64, kind: Kind) -> bool {
        let body = self.payment.body(kind, self.mode);
        let signature = webhook::signature(&body, &self.store.demo.source_secret);
        match self.store.api.post_webhook(body, &signature).await {
            Ok((status, answer)) => {
                self.store.deliveries.answered(id, Some(status), answer);
                (200..300).contains(&status)
            }
            Err(error) => {
                tracing::warn!(%error, kind = kind.as_str(), "the webhook was not answered");
                let answer = json!({ "reason": "no answer" });
                self.store.deliveries.answered(id, None, answer);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_money_that_is_in_is_given_back() {
        assert!(check(Action::Refund, "new").is_err());
        assert!(check(Action::Refund, "canceled").is_err());
        assert!(check(Action::Refund, "done").is_ok());
        assert!(check(Action::Decline, "paid").is_err());
        assert!(check(Action::Twice, "paid").is_ok());
    }

    #[test]
    fn the_oldest_deliveries_are_forgotten() {
        let deliveries = Deliveries::default();
        let order = OrderId::new(1).expect("an id");
        for _ in 0..=DELIVERIES_MAX {
            deliveries.add(order, Kind::OrderPaid, OffsetDateTime::UNIX_EPOCH);
        }
        deliveries.answered(1, Some(200), Value::Null);
        let kept = deliveries.of(order);
        assert_eq!(kept.len(), DELIVERIES_MAX);
        assert_eq!(kept[0].id, 2);
        assert_eq!(kept[0].answered, None);
    }
}
