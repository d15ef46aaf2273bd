//! A connection as a response body that does not end: what the HTTP transports share.

use super::{
    Shared,
    door::{self, Refused},
    form::{self, Form},
    peer::{Address, BodyOutlet, Outlet, Peer, RefusedConnect, Work},
    work::Presence,
};
use crate::{
    clock,
    http::{Hangup, body, problem::Problem},
};
use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Query, Request, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use ordercast_core::channel::Position;
use serde::Deserialize;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};

/// Largest body with commands (guarantees, 3.1), as for a WebSocket's message.
pub const COMMANDS_BYTES_MAX: usize = 64 * 1024;
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const EVENT_STREAM: &str = "text/event-stream";

/// A request that opens a stream, apart from what it says.
#[derive(Debug)]
pub struct Opening {
    headers: HeaderMap,
    address: SocketAddr,
    hangup: Hangup,
}

/// What a browser's `EventSource` sends of itself when it comes again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What may stand in the query of a GET.
#[derive(Debug, Deserialize)]
pub struct Connect {
    cf_connect: Option<String>,
}

impl Connect {
    /// Empty where there is none.
    pub fn optional(query: Result<Query<Self>, QueryRejection>) -> Result<Bytes, Problem> {
        let Query(Self { cf_connect }) = query.map_err(|_| bad_query())?;
        Ok(cf_connect.unwrap_or_default().into())
    }
}

fn bad_query() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "cf_connect",
        "the query needs the parameter cf_connect: JSON, URL-encoded, once",
    )
}

impl Opening {
    /// Of a POST: what it says is the body.
    pub async fn of_post(request: Request) -> Result<(Self, Bytes), Problem> {
        let (parts, body) = request.into_parts();
        let opening = Self::of(&parts.headers, &parts.extensions)?;
        let said = body::read(body, COMMANDS_BYTES_MAX).await?;
        Ok((opening, said))
    }

    /// Of a GET: what it says is the parameter `cf_connect`.
    pub fn of_get(
        request: &Request,
        query: Result<Query<Connect>, QueryRejection>,
    ) -> Result<(Self, Bytes), Problem> {
        let opening = Self::of(request.headers(), request.extensions())?;
        let said = Connect::optional(query)?;
        if said.is_empty() {
            return Err(bad_query());
        }
        Ok((opening, said))
    }

    fn of(headers: &HeaderMap, extensions: &axum::http::Extensions) -> Result<Self, Problem> {
        // Both are put there by the accept loop.
        let address = extensions.get::<ConnectInfo<SocketAddr>>();
        let hangup = extensions.get::<Hangup>();
        let (Some(ConnectInfo(address)), Some(hangup)) = (address, hangup) else {
            return Err(Problem::unavailable());
        };
        Ok(Self {
            headers: headers.clone(),
            address: *address,
            hangup: hangup.clone(),
        })
    }

    pub fn is_protobuf(&self) -> bool {
        is_protobuf(&self.headers)
    }

    /// What the client has of its channel, if it says so in the manner of `EventSource`.
    pub fn position(&self) -> Option<Position> {
        form::position(self.headers.get(LAST_EVENT_ID)?.to_str().ok()?)
    }

    /// Begins the stream. `say`: gives the session what the request said.
    pub async fn answer(
        self,
        shared: &Arc<Shared>,
        form: Form,
        say: impl FnOnce(&Peer) -> Work,
    ) -> Result<Response, Problem> {
        let place = match door::enter(shared, &self.headers, self.address) {
            Ok(place) => place,
            Err(refused) => return turned_away(shared, refused, form),
        };
        let address = (!form.is_one_way()).then(|| Address {
            node: shared.node.clone(),
            session: session(place.id),
        });
        let lent = self.hangup.lend();
        let outlet = Outlet::Body(Box::new(BodyOutlet {
            address,
            hangup: self.hangup,
        }));
        let peer = door::seat(shared, &place, form, outlet);
        // From here on the connection leaves with whatever is dropped: this future or the body.
        let presence = Presence::new(Arc::clone(shared), peer);
        let work = say(&presence.peer);
        presence.work(work).await;
        // `EventSource` comes again for ever after a stream, and never after a refusal: it is told by
        // the status what will not do next time either.
        if form == Form::OneWayEvents
            && let Some(refusal) = presence.peer.refusal()
        {
            return Err(match refusal {
                RefusedConnect::Credential => Problem::unauthorized(),
                RefusedConnect::BadRequest => bad_connect(),
            });
        }
        let frames = stream::poll_fn(move |cx| {
            let _ = (&place, &lent);
            presence.peer.poll_frame(cx)
        });
        Ok(streamed(form, frames))
    }
}

fn bad_connect() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_connect",
        "the connect request cannot be read: {\"data\": {\"auth\": ..., \"project_id\": ...}}",
    )
}

/// A client that is to come again. One that reads events is told so in a stream of one event, because a
/// browser's `EventSource` comes again after nothing else.
fn turned_away(shared: &Shared, refused: Refused, form: Form) -> Result<Response, Problem> {
    match (form, refused.close()) {
        (Form::Events | Form::OneWayEvents, Some((code, reason))) => {
            let last_words = form.close(code.code(), reason);
            Ok(streamed(form, stream::iter([last_words])))
        }
        _ => Err(refused.problem(shared)),
    }
}

fn streamed(form: Form, frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let (content_type, prelude) = match form {
        // What a browser needs to call the stream open at once.
        Form::Events | Form::OneWayEvents => (EVENT_STREAM, Some(Bytes::from_static(b"\r\n"))),
        Form::StreamProtobuf => ("application/octet-stream", None),
        Form::StreamJson
        | Form::OneWayStream
        | Form::WebSocketJson
        | Form::WebSocketProtobuf
        | Form::OneWayWebSocket => ("application/json", None),
    };
    let body = stream::iter(prelude).chain(frames).map(Ok::<_, Infallible>);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache, no-store, must-revalidate, max-age=0"),
        ),
        // Proxies that collect answers would hold the stream back.
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

pub fn is_protobuf(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim() == "application/octet-stream")
}

/// Names a connection, and proves that whoever names it has read its connect reply.
fn session(id: u64) -> String {
    let secret = data_encoding::HEXLOWER.encode(&clock::random::<16>());
    format!("{id:x}.{secret}")
}
