//! When connections are given up, made again, or not.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::world::World;
use crate::backoff::{DELAY_MAX, DELAY_MIN};
use crate::event::Event;
use crate::net::OpenError;

const LOST: &str = "{code:null,event:disconnected,reason:no,retry_in_ms:some}";

fn failed() -> OpenError {
    OpenError::Failed("no".to_owned())
}

#[tokio::test(start_paused = true)]
async fn reconnectable_close_is_followed_by_a_recovery() {
    let mut world = World::tracking_all();
    let peer = world.connect().await;
    peer.send(
        r#"{"push":{"channel":"ch","pub":{"data":{"order_id":9,"status":"paid"},"offset":5}}}"#,
    );
    assert_eq!(
        world.told().await,
        "{event:status,how:pushed,offset:5,order_id:9,status:paid}"
    );
    peer.close(3005, "connection expired");
    assert_eq!(
        world.told().await,
        "{code:3005,event:disconnected,reason:connection expired,retry_in_ms:some}"
    );
    let mut peer = world.accept().await;
    let asked = peer.received().await;
    assert!(
        asked.contains(r#""subs":{"ch":{"recover":true,"epoch":"a","offset":5}}"#),
        "{asked}"
    );
}

#[tokio::test(start_paused = true)]
async fn terminal_close_ends_with_its_reason() {
    let mut world = World::tracking_all();
    let peer = world.connect().await;
    peer.close(3503, "force disconnect");
    let reason = "the server closed the connection for good (3503 force disconnect)";
    assert_eq!(
        world.told().await,
        format!("{{code:3503,event:disconnected,reason:{reason},retry_in_ms:null}}")
    );
    assert_eq!(world.told().await, format!("error: {reason}"));
    assert_eq!(world.told().await, "end");
}

#[tokio::test(start_paused = true)]
async fn refused_token_ends_with_its_reason() {
    let mut world = World::tracking_all();
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send(r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#);
    assert_eq!(
        world.told().await,
        "error: the server does not accept the token (109 token expired)"
    );
    assert_eq!(world.told().await, "end");
}

#[tokio::test(start_paused = true)]
async fn missing_ping_is_noticed_ten_seconds_late_whatever_else_comes() {
    let mut world = World::tracking_all();
    let mut peer = world.connect().await;
    tokio::time::advance(Duration::from_secs(30)).await;
    peer.send("{}");
    assert_eq!(peer.received().await, "{}");
    let pinged = Instant::now();
    tokio::time::advance(Duration::from_secs(20)).await;
    peer.send(
        r#"{"push":{"channel":"ch","pub":{"data":{"order_id":9,"status":"paid"},"offset":5}}}"#,
    );
    world.told().await;
    assert_eq!(
        world.told().await,
        "{code:null,event:disconnected,reason:no ping for 35 s,retry_in_ms:some}"
    );
    assert_eq!(pinged.elapsed().as_secs(), 35);
}

#[tokio::test(start_paused = true)]
async fn silent_server_is_left_after_the_command_timeout() {
    let mut world = World::tracking_all();
    let _peer = world.accept().await;
    let begin = Instant::now();
    assert_eq!(
        world.told().await,
        "{code:null,event:disconnected,reason:no reply for 5 s,retry_in_ms:some}"
    );
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_spread_over_at_most_twenty_seconds() {
    let mut world = World::tracking_all();
    for attempt in 0..12 {
        let begin = Instant::now();
        world.refuse(failed()).await;
        let Some(Ok(Event::Disconnected {
            retry_in: Some(delay),
            ..
        })) = world.event().await
        else {
            panic!("not disconnected");
        };
        let longest = (DELAY_MIN + DELAY_MIN * 2_u32.pow(attempt)).min(DELAY_MAX);
        assert!(
            (DELAY_MIN..=longest).contains(&delay),
            "{attempt}: {delay:?}"
        );
        assert!(begin.elapsed() <= DELAY_MAX);
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_accepts_and_drops_is_not_hammered() {
    let mut world = World::tracking_all();
    world.connect().await.close(3004, "internal server error");
    let begin = Instant::now();
    for _ in 0..40 {
        world.told().await;
        let mut peer = world.accept().await;
        peer.received().await;
        peer.close(3004, "internal server error");
    }
    assert!(
        begin.elapsed() > Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn url_without_a_websocket_ends_only_if_it_never_had_one() {
    let mut world = World::tracking_all();
    world
        .refuse(OpenError::Refused(StatusCode::NOT_FOUND))
        .await;
    assert_eq!(
        world.told().await,
        "error: no order tracking at this URL: the WebSocket upgrade was answered with HTTP \
         404 Not Found"
    );

    let mut world = World::tracking_all();
    world.connect().await.close(3001, "shutdown");
    world.told().await;
    world
        .refuse(OpenError::Refused(StatusCode::NOT_FOUND))
        .await;
    assert_eq!(
        world.told().await,
        LOST.replace("reason:no", "reason:the upgrade got HTTP 404 Not Found")
    );
}

#[tokio::test(start_paused = true)]
async fn unreadable_frame_ends_only_if_the_server_never_spoke_the_protocol() {
    let mut world = World::tracking_all();
    let mut peer = world.accept().await;
    peer.received().await;
    peer.send("hello");
    assert_eq!(
        world.told().await,
        "error: the server does not speak the tracking protocol: frame is not a JSON object"
    );

    let mut world = World::tracking_all();
    world.connect().await.send("hello");
    assert_eq!(
        world.told().await,
        LOST.replace(
            "reason:no",
            "reason:unreadable frame: frame is not a JSON object"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn ends_when_nobody_listens() {
    let mut world = World::tracking_all();
    world.refuse(failed()).await;
    assert_eq!(world.told().await, LOST);
    world.abandon().await;
}
