//! Speaks for Mollie's API while its classic webhooks are told: they prove nothing, so the server asks
//! what has become of the payment.

use super::voice::Answer;
use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;

/// What the one payment is now, and how often it was asked for.
#[derive(Debug, Default)]
struct Known {
    answer: Option<Answer>,
    asked: u32,
}

#[derive(Clone, Debug)]
pub struct Answering {
    pub address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

impl Answering {
    pub async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot answer on {address}; see --answer-on"))?;
        let known = Arc::default();
        let answering = Self {
            address: listener.local_addr()?,
            known: Arc::clone(&known),
        };
        let router = Router::new().fallback(answer).with_state(known);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(answering)
    }

    pub fn set(&self, answer: Answer) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.answer = Some(answer);
    }

    pub fn asked(&self) -> u32 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked
    }
}

async fn answer(State(known): State<Arc<Mutex<Known>>>, uri: Uri) -> Response {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.asked += 1;
    match &known.answer {
        Some(answer) if answer.path == uri.path() => {
            let json = [(header::CONTENT_TYPE, "application/hal+json")];
            (json, answer.body.clone()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
