//! One attempt: body, signatures, the call, and its end written down.

use super::sending::{Sending, Target};
use crate::{
    clock,
    outbound::dial::{Answer, Unanswered},
};
use metrics::{counter, histogram};
use ordercast_core::{
    OrderId,
    delivery::{Verdict, body, verdict},
};
use ordercast_store::{
    AttemptResult, Attempted, Change, Due, Failure, Outcome, Submission, WebhookChange,
};
use std::{sync::Arc, time::Duration};

/// While the store cannot take the end of an attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// How an attempt ended, as far as the dispatcher must know.
#[derive(Debug)]
pub struct Ended {
    /// As it was when the attempt began: it may have been changed or deleted meanwhile.
    pub target: Arc<Target>,
    pub delivery: i64,
    pub order: OrderId,
    /// The endpoint answered as one that works; that it refused is such an answer.
    pub is_well: bool,
    pub was_proven: bool,
    /// Not of an order that has failed before, which says nothing new of the endpoint.
    pub is_first: bool,
}

pub async fn attempt(
    sending: Arc<Sending>,
    target: Arc<Target>,
    due: Due,
    was_proven: bool,
) -> Ended {
    let began = clock::monotonic();
    let result = send(&sending, &target, &due).await;
    let duration = began.elapsed();
    let result = match result {
        Ok(answer) => AttemptResult::Answered {
            verdict: verdict(target.form.mode, due.notification, answer.status),
            status: answer.status,
            retry_after: answer.retry_after,
            address: answer.address.map(|address| address.to_string()),
            body: answer.body,
        },
        Err(Unanswered { error, address }) => AttemptResult::Failed {
            error: error.to_string(),
            address: address.map(|address| address.to_string()),
        },
    };
    let (is_well, label) = match &result {
        AttemptResult::Answered { verdict, .. } => match verdict {
            Verdict::Accepted => (true, "accepted"),
            Verdict::Refused => (true, "refused"),
            Verdict::Gone => (false, "gone"),
            Verdict::Retry => (false, "retry"),
        },
        AttemptResult::Failed { .. } => (false, "failed"),
    };
    counter!("ordercast_delivery_attempts_total", "result" => label).increment(1);
    histogram!("ordercast_delivery_attempt_seconds").record(duration.as_secs_f64());
    tracing::debug!(endpoint = %target.id, delivery = due.delivery, result = label, "attempt");
    record(&sending, &due, result, duration).await;
    Ended {
        target,
        delivery: due.delivery,
        order: due.order.id,
        is_well,
        is_first: due.attempts == 0,
        was_proven,
    }
}

async fn send(sending: &Sending, target: &Target, due: &Due) -> Result<Answer, Unanswered> {
    let body = body(target.form, due.notification, &due.event, &due.order);
    let id = due.event.message_id(due.notification);
    let headers = target.headers(&id, clock::now(), &body);
    sending.dialer.send(&target.url, headers, body).await
}

/// Until it is written: the attempt was made, and the next must not be the same one.
async fn record(sending: &Sending, due: &Due, result: AttemptResult, duration: Duration) {
    let attempted = Attempted {
        delivery: due.delivery,
        attempt: due.attempts + 1,
        duration,
        result,
        jitter: jitter(),
    };
    loop {
        let submission = Submission {
            change: Change::Webhooks(Box::new(WebhookChange::Attempted(Box::new(
                attempted.clone(),
            )))),
            at: clock::now(),
            idempotency: None,
        };
        match sending.store.submit(submission).await {
            Ok(Outcome::Webhooks(_)) => return,
            Ok(_) | Err(Failure::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, delivery = due.delivery, "an attempt is not written yet");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// -1 to 1.
fn jitter() -> f64 {
    f64::from(i32::from_le_bytes(clock::random())) / f64::from(i32::MAX)
}
