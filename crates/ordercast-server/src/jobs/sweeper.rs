//! Asks providers about orders that stay open: their webhooks may have been lost (providers contract,
//! section 2, "never moves"). Each order is asked about some times after it was made, and before its
//! stated life ends. What is heard goes the way of a webhook.

use crate::inbox::ask::{ProviderReader, Question};
use futures_util::future::join_all;
use metrics::counter;
use ordercast_core::{OrderId, Timestamp, provider::Event};
use ordercast_store::{
    Change, Failure, Found, InboxEntry, InboxState, Outcome, Source, Store, Submission, SweepWindow,
};
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

/// After an order was made; ascending.
const AFTER: [Duration; 7] = [
    MINUTE,
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(12 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(3 * 24 * 3600),
];
/// Before it expires.
const BEFORE_EXPIRY: Duration = Duration::from_secs(2 * 60);
/// Read at once; the window is read to its end.
const PAGE: u32 = 200;
/// At the same time, of one source: providers limit how often they are asked.
const ASKED_AT_ONCE: usize = 4;

/// Asks about all orders whose time came after `since`, up to `now`; how many changed.
///
/// # Errors
/// [`Failure`] of the store. A provider that does not answer is asked again in the next window.
pub async fn sweep(
    store: &Store,
    readers: &[(Source, Box<dyn ProviderReader>)],
    since: Timestamp,
    now: Timestamp,
) -> Result<usize, Failure> {
    let mut changed = 0;
    for (source, reader) in readers {
        for window in windows(since, now) {
            changed += sweep_window(store, (source, reader.as_ref()), window, now).await?;
        }
    }
    Ok(changed)
}

/// The times at which orders were made whose turn came, newest first, and in which those expire that
/// still may be asked about. After a long stop the times overlap: each is in one window only.
fn windows(since: Timestamp, now: Timestamp) -> Vec<SweepWindow> {
    let mut made: Vec<(Timestamp, Timestamp)> = Vec::new();
    for delay in AFTER {
        let (after, until) = (since.minus(delay), now.minus(delay));
        match made.last_mut() {
            Some(newer) if newer.0 <= until => newer.0 = after,
            _ => made.push((after, until)),
        }
    }
    let expires = SweepWindow::Expires(since.plus(BEFORE_EXPIRY), now.plus(BEFORE_EXPIRY));
    made.into_iter()
        .map(|(after, until)| SweepWindow::Made(after, until))
        .chain([expires])
        .collect()
}

async fn sweep_window(
    store: &Store,
    (source, reader): (&Source, &dyn ProviderReader),
    mut window: SweepWindow,
    now: Timestamp,
) -> Result<usize, Failure> {
    let mut changed = 0;
    let mut behind = None;
    loop {
        let orders = store
            .open_orders(source.project, window, behind, PAGE)
            .await?;
        for some in orders.chunks(ASKED_AT_ONCE) {
            let asked = some
                .iter()
                .map(|found| ask(store, source, reader, found, now));
            for result in join_all(asked).await {
                changed += result?;
            }
        }
        match orders.last() {
            Some(last) if orders.len() == PAGE as usize => {
                window = match window {
                    SweepWindow::Made(_, until) => SweepWindow::Made(last.order.created_at, until),
                    SweepWindow::Expires(_, until) => {
                        SweepWindow::Expires(last.order.expires_at, until)
                    }
                };
                behind = Some(last.order_key);
            }
            _ => return Ok(changed),
        }
    }
}

async fn ask(
    store: &Store,
    source: &Source,
    reader: &dyn ProviderReader,
    found: &Arc<Found>,
    now: Timestamp,
) -> Result<usize, Failure> {
    let order = &found.order;
    let names = order.facets.attempts.iter();
    let names = names.map(|attempt| attempt.id.clone()).collect();
    let attempts = store
        .payments_of_source(order.project, source.id.clone(), names)
        .await?;
    let question = Question {
        project: order.project,
        order: order.id,
        attempts,
        made_at: order.created_at,
    };
    let readings = match reader.payments(question).await {
        Ok(readings) => readings,
        Err(error) => {
            counter!("ordercast_sweeps_total", "result" => "unanswered").increment(1);
            tracing::warn!(
                source = %source.id,
                project = %order.project,
                order = %order.id,
                %error,
                "open order not swept"
            );
            return Ok(0);
        }
    };
    let mut changed = 0;
    for reading in readings {
        for event in reading.events {
            changed += usize::from(receive(store, source, &reading.body, event, now).await?);
        }
    }
    let result = if changed > 0 { "changed" } else { "unchanged" };
    counter!("ordercast_sweeps_total", "result" => result).increment(1);
    Ok(changed)
}

/// Whether it changed the order.
async fn receive(
    store: &Store,
    source: &Source,
    body: &[u8],
    event: Event,
    now: Timestamp,
) -> Result<bool, Failure> {
    // A payment that is where it was is asked about again and again: once is enough on record.
    let Some(key) = event.dedup_key.clone() else {
        return Ok(false);
    };
    if store.inbox_knows(source.id.clone(), key).await? {
        return Ok(false);
    }
    let kind = event.kind.clone();
    let entry = InboxEntry {
        project: source.project,
        source: source.id.clone(),
        body: body.to_vec(),
        event: Ok(event),
        transmission: None,
    };
    let submission = Submission {
        change: Change::Receive(Box::new(entry)),
        at: now,
        idempotency: None,
    };
    let Outcome::Received(received) = store.submit(submission).await? else {
        return Ok(false);
    };
    tracing::info!(
        inbox_id = received.inbox_id,
        source = %source.id,
        project = %source.project,
        order = received.order.map(OrderId::get),
        kind,
        state = received.state.as_str(),
        reason = %received.reason,
        "provider event, asked for"
    );
    Ok(received.state == InboxState::Applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_stop_each_order_is_in_one_window() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let ago = |duration| now.minus(duration);
        // Every half a minute: seven moments apart.
        assert_eq!(windows(ago(MINUTE / 2), now).len(), AFTER.len() + 1);
        // After an hour: what is due within it, once.
        let hour = MINUTE * 60;
        let made = |oldest: Duration, newest: Duration| SweepWindow::Made(ago(oldest), ago(newest));
        assert_eq!(
            windows(ago(hour), now)[..2],
            [
                made(hour + AFTER[2], AFTER[0]),
                made(hour + AFTER[3], AFTER[3])
            ]
        );
        let days = AFTER[6];
        assert_eq!(
            windows(ago(days), now),
            [
                made(days * 2, MINUTE),
                SweepWindow::Expires(ago(days).plus(BEFORE_EXPIRY), now.plus(BEFORE_EXPIRY))
            ]
        );
    }
}
