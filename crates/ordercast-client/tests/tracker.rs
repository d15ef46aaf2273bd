//! The tracker over real sockets, against a server that follows a script.
#![allow(clippy::unwrap_used)]

mod server;

use centrifuge_protocol::Encoding;
use ordercast_client::{
    Event, How, OrderId, ProjectId, TrackError, Tracker, TrackerConfig, TrackingStatus,
};
use server::{Server, connected, publication, pushed};

fn config(server: &Server, encoding: Encoding) -> TrackerConfig {
    let mut config = TrackerConfig::new(server.url(), ProjectId::new(5).unwrap(), "token");
    config.encoding = encoding;
    config
}

async fn status(tracker: &mut Tracker) -> (TrackingStatus, Option<u32>, How) {
    loop {
        match tracker.next().await.expect("a status").expect("no error") {
            Event::Status {
                status,
                offset,
                how,
                ..
            } => {
                return (status, offset.map(|offset| offset.get()), how);
            }
            Event::Connected { .. } | Event::Disconnected { .. } | Event::Gap { .. } => {}
        }
    }
}

/// Pushed, interrupted by the server, recovered: the same in both encodings.
async fn follows_an_order_over_an_interruption(encoding: Encoding) {
    let server = Server::start().await;
    let mut tracker = Tracker::new(&config(&server, encoding)).unwrap();
    let script = async {
        let mut peer = server.websocket(encoding).await;
        let connect = peer.command().await;
        let data = connect.connect.unwrap().data;
        assert_eq!(data, r#"{"auth":"token","project_id":5}"#);
        peer.reply(connected(connect.id, 4, false, &[])).await;
        peer.reply(pushed(publication(5, "paid"))).await;
        peer.ping().await;
        assert_eq!(peer.command().await.id, 0);
        peer.close(3005, "connection expired").await;

        let mut peer = server.websocket(encoding).await;
        let connect = peer.command().await;
        assert_eq!(connect.connect.unwrap().subs["ch"].offset, 5);
        peer.reply(connected(connect.id, 5, true, &[publication(6, "done")]))
            .await;
        peer
    };
    let follow = async {
        let paid = (TrackingStatus::Paid, Some(5), How::Pushed);
        assert_eq!(status(&mut tracker).await, paid);
        let done = (TrackingStatus::Done, Some(6), How::Recovered);
        assert_eq!(status(&mut tracker).await, done);
    };
    tokio::join!(script, follow);
}

#[tokio::test]
async fn follows_an_order_over_an_interruption_in_json() {
    follows_an_order_over_an_interruption(Encoding::Json).await;
}

#[tokio::test]
async fn follows_an_order_over_an_interruption_in_protobuf() {
    follows_an_order_over_an_interruption(Encoding::Protobuf).await;
}

#[tokio::test]
async fn polls_to_the_final_status_when_there_is_no_websocket() {
    let server = Server::start().await;
    let mut config = config(&server, Encoding::Json);
    config.order_id = Some(OrderId::new(7).unwrap());
    config.until_final = true;
    let mut tracker = Tracker::new(&config).unwrap();
    let script = async {
        let head = server
            .order(Some("1"), r#"{"order_id":7,"status":"paid","content":{}}"#)
            .await;
        assert!(
            head.starts_with("get /api/v2/project/5/order/7 http/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("\r\nauthorization: bearer token\r\n"),
            "{head}"
        );
        let head = server
            .order(None, r#"{"order_id":7,"status":"done","content":{}}"#)
            .await;
        assert!(head.contains("\r\nif-none-match: \"1\"\r\n"), "{head}");
    };
    let follow = async {
        assert_eq!(
            status(&mut tracker).await,
            (TrackingStatus::Paid, None, How::Polled)
        );
        assert_eq!(
            status(&mut tracker).await,
            (TrackingStatus::Done, None, How::Polled)
        );
        assert!(tracker.next().await.is_none());
        assert!(tracker.next().await.is_none());
    };
    tokio::join!(script, follow);
}

#[tokio::test]
async fn page_instead_of_a_websocket_is_named() {
    let server = Server::start().await;
    let mut tracker = Tracker::new(&config(&server, Encoding::Json)).unwrap();
    let (error, ()) = tokio::join!(tracker.next(), server.refuse_upgrade("404 Not Found"));
    let Some(Err(TrackError::NoWebSocket(status))) = error else {
        panic!("{error:?}");
    };
    assert_eq!(status, 404);
    assert!(tracker.next().await.is_none());
}

#[tokio::test]
async fn nothing_there_is_reported_and_tried_again() {
    let server = Server::start().await;
    let config = config(&server, Encoding::Json);
    drop(server);
    let mut tracker = Tracker::new(&config).unwrap();
    for _ in 0..2 {
        let event = tracker.next().await;
        let Some(Ok(Event::Disconnected {
            code: None,
            reason,
            retry_in: Some(_),
        })) = event
        else {
            panic!("{event:?}");
        };
        assert!(reason.contains("refused"), "{reason}");
    }
}
