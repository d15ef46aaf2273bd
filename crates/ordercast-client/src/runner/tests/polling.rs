//! When the order itself is asked for, and which answers count.

use std::time::Duration;

use ordercast_core::order::TrackingStatus;
use tokio::time::Instant;

use super::world::World;
use crate::net::{Answer, OpenError};

fn answer(status: TrackingStatus, etag: &str) -> Answer {
    Answer::Status {
        status,
        etag: Some(etag.to_owned()),
    }
}

const PUSHED_PAID: &str =
    r#"{"push":{"channel":"ch","pub":{"data":{"order_id":7,"status":"paid"},"offset":5}}}"#;

#[tokio::test(start_paused = true)]
async fn without_a_connection_the_order_is_polled_until_it_is_final() {
    let mut world = World::tracking_an_order();
    let begin = Instant::now();
    let (etag, reply) = world.request().await;
    assert_eq!((etag, begin.elapsed().as_secs()), (None, 1));
    reply.send(answer(TrackingStatus::New, "1")).unwrap();
    assert_eq!(
        world.told().await,
        "{event:status,how:polled,offset:null,order_id:7,status:new}"
    );

    let (etag, reply) = world.request().await;
    assert_eq!((etag.as_deref(), begin.elapsed().as_secs()), (Some("1"), 4));
    reply.send(Answer::Unchanged).unwrap();

    let (etag, reply) = world.request().await;
    assert_eq!((etag.as_deref(), begin.elapsed().as_secs()), (Some("1"), 7));
    let retry_after = Some(Duration::from_secs(10));
    reply
        .send(Answer::Failed {
            reason: "HTTP 429".to_owned(),
            retry_after,
        })
        .unwrap();

    let (_, reply) = world.request().await;
    assert_eq!(begin.elapsed().as_secs(), 17);
    reply.send(answer(TrackingStatus::Done, "2")).unwrap();
    assert_eq!(
        world.told().await,
        "{event:status,how:polled,offset:null,order_id:7,status:done}"
    );
    assert_eq!(world.told().await, "end");
}

#[tokio::test(start_paused = true)]
async fn first_connection_fetches_the_status_that_no_push_tells() {
    let mut world = World::tracking_an_order();
    let mut peer = world.connect().await;
    let (_, reply) = world.request().await;
    reply.send(answer(TrackingStatus::Canceled, "9")).unwrap();
    assert_eq!(
        world.told().await,
        "{event:status,how:polled,offset:null,order_id:7,status:canceled}"
    );
    assert_eq!(peer.received().await, "close");
    assert_eq!(world.told().await, "end");
}

#[tokio::test(start_paused = true)]
async fn answer_older_than_a_push_is_dropped_and_polling_rests() {
    let mut world = World::tracking_an_order();
    let peer = world.connect().await;
    let (_, reply) = world.request().await;
    peer.send(PUSHED_PAID);
    assert_eq!(
        world.told().await,
        "{event:status,how:pushed,offset:5,order_id:7,status:paid}"
    );
    assert!(reply.send(answer(TrackingStatus::New, "1")).is_err());
    // Nothing is asked for until the connection is given up: no ping comes.
    assert_eq!(
        world.told().await,
        "{code:null,event:disconnected,reason:no ping for 35 s,retry_in_ms:some}"
    );
}

#[tokio::test(start_paused = true)]
async fn fetch_that_failed_is_tried_again_while_connected() {
    let mut world = World::tracking_an_order();
    let _peer = world.connect().await;
    let (_, reply) = world.request().await;
    reply
        .send(Answer::Failed {
            reason: "HTTP 502".to_owned(),
            retry_after: None,
        })
        .unwrap();
    let begin = Instant::now();
    world.request().await;
    assert_eq!(begin.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn polls_only_while_the_connection_is_gone() {
    let mut world = World::tracking_an_order();
    let peer = world.connect().await;
    peer.send(PUSHED_PAID);
    world.told().await;
    peer.close(3001, "shutdown");
    world.told().await;
    world.refuse(OpenError::Failed("no".to_owned())).await;
    world.told().await;
    let (_, reply) = world.request().await;
    // What is known already is not told again.
    reply.send(answer(TrackingStatus::Paid, "2")).unwrap();
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(
        r#"{"id":2,"connect":{"client":"c","version":"1","ping":25,"pong":true,
            "subs":{"ch":{"recoverable":true,"epoch":"a","recovered":true,"offset":5,"publications":
            [{"data":{"order_id":7,"status":"done"},"offset":6}]}}}}"#,
    );
    assert_eq!(world.told().await, "{event:connected,recovered:true}");
    assert_eq!(
        world.told().await,
        "{event:status,how:recovered,offset:6,order_id:7,status:done}"
    );
    assert_eq!(peer.received().await, "close");
    assert_eq!(world.told().await, "end");
}

#[tokio::test(start_paused = true)]
async fn order_that_does_not_exist_ends_with_its_number() {
    let mut world = World::tracking_an_order();
    let (_, reply) = world.request().await;
    reply.send(Answer::NotFound).unwrap();
    assert_eq!(
        world.told().await,
        "error: order 7 does not exist in this project for this token"
    );
    assert_eq!(world.told().await, "end");
}
