//! The internal listener: metrics, health with reasons, and the documentation, for the operator's own
//! network. They tell how a shop is doing, so the public port does not have them.
//!
//! Invariant: nothing here reads or changes an order.

use crate::{
    config::Config,
    http::{self, App, Shutdown, requested},
};
use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use tokio::{net::TcpListener, sync::watch};

/// Where the internal listener is when nobody says: this far above the public port, on loopback.
const PORT_OFFSET: u16 = 1000;

/// A bound socket that is not served yet.
#[derive(Debug)]
pub struct Internal {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Internal {
    /// At `internal_listen`; without it on loopback at a port that follows from `public`, or at a free
    /// one when that is taken.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(config: &Config, public: SocketAddr) -> io::Result<Self> {
        let listener = match config.internal_listen {
            Some(address) => TcpListener::bind(address).await?,
            None => bind_beside(config.listen.port(), public).await?,
        };
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves until the server has stopped.
    pub async fn serve(self, app: App, mut stopping: watch::Receiver<Shutdown>) {
        let is_loopback = self.address.ip().is_loopback();
        let router = http::internal_router(app)
            .layer(middleware::from_fn_with_state(is_loopback, check_host));
        let served = axum::serve(self.listener, router)
            .with_graceful_shutdown(async move { requested(&mut stopping).await });
        if let Err(error) = served.await {
            tracing::error!(%error, "the internal listener ended");
        }
    }
}

async fn bind_beside(configured: u16, public: SocketAddr) -> io::Result<TcpListener> {
    let at = |port| TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    // Port 0 asks for any free one: whoever starts many servers on one machine means that here too.
    let wanted = (configured != 0)
        .then(|| public.port().checked_add(PORT_OFFSET))
        .flatten();
    match wanted {
        None => at(0).await,
        Some(port) => match at(port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => at(0).await,
            bound => bound,
        },
    }
}

/// On loopback only a request that names this machine is answered: a page that resolves its own name
/// to 127.0.0.1 must not read what is here through its visitor's browser.
async fn check_host(State(is_loopback): State<bool>, request: Request, next: Next) -> Response {
    if is_loopback && !names_this_machine(&request) {
        return (
            StatusCode::MISDIRECTED_REQUEST,
            "the internal listener is asked by the name of this machine only\n",
        )
            .into_response();
    }
    next.run(request).await
}

fn names_this_machine(request: &Request) -> bool {
    let host = request.headers().get(header::HOST);
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let authority = host.parse::<Uri>().ok();
    let name = authority.as_ref().and_then(Uri::host).unwrap_or(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
