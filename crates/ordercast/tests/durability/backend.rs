//! A backend that takes webhooks, outlives the server, and writes down what came.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Given the event's number and how often it came before.
pub type Manner = fn(i64, usize) -> StatusCode;

#[derive(Clone)]
pub struct Backend {
    pub url: String,
    manner: Manner,
    came: Arc<Mutex<Vec<Came>>>,
}

#[derive(Clone, Debug)]
pub struct Came {
    /// The `webhook-id`: `evt_{epoch}_{project}_{event}`, and in a reference mode `_{notification}`.
    pub id: String,
    pub answered: StatusCode,
}

impl Came {
    pub fn event(&self) -> i64 {
        let number = self
            .id
            .split('_')
            .nth(3)
            .and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("{} is no id of an event", self.id))
    }

    pub fn notification(&self) -> &str {
        self.id.splitn(5, '_').nth(4).unwrap_or("event")
    }
}

impl Backend {
    pub async fn start(manner: Manner) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("address"));
        let backend = Self {
            url,
            manner,
            came: Arc::default(),
        };
        let router = Router::new().fallback(take).with_state(backend.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        backend
    }

    /// In the order in which they came.
    pub fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no panic").clone()
    }

    /// How each was answered in the end, and how often it came.
    pub fn last_answers(&self) -> HashMap<(i64, String), (StatusCode, usize)> {
        let mut answers = HashMap::new();
        for came in self.came() {
            let key = (came.event(), came.notification().to_owned());
            let entry = answers.entry(key).or_insert((came.answered, 0));
            *entry = (came.answered, entry.1 + 1);
        }
        answers
    }
}

async fn take(State(backend): State<Backend>, headers: HeaderMap) -> StatusCode {
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    let mut came = Came {
        id,
        answered: StatusCode::NO_CONTENT,
    };
    let mut all = backend.came.lock().expect("no panic");
    let before = all
        .iter()
        .rev()
        .take(5_000)
        .filter(|known| known.id == came.id)
        .count();
    came.answered = (backend.manner)(came.event(), before);
    let answered = came.answered;
    all.push(came);
    answered
}
