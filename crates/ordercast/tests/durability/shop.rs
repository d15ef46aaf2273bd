//! A shop's backend that writes down what it was told, and asks again what it was not.

use crate::server::{ROOT_KEY, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use tokio::task::JoinSet;

const PUBLISHERS: usize = 8;

/// An order as far as its publisher knows: `version` was acknowledged.
#[derive(Clone, Debug)]
struct Known {
    id: i64,
    version: u64,
}

/// One change; its key makes it happen once however often it is asked for.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Become(Known, &'static str),
}

#[derive(Clone, Debug)]
struct Asked {
    key: String,
    step: Step,
}

/// What one publisher has learned.
#[derive(Debug, Default)]
struct Learned {
    acknowledged: Vec<Known>,
    /// Sent and not answered: it may have happened.
    open: Option<Asked>,
    refused: Option<(u16, String)>,
}

pub struct Shop {
    client: reqwest::Client,
    base: String,
    project: u64,
    api_key: String,
    orders: Vec<Known>,
    /// Changed since they were checked; ids.
    unchecked: HashSet<i64>,
    open: Vec<Asked>,
    acknowledged: usize,
    keys: u64,
}

impl Shop {
    pub async fn open(server: &Server) -> Self {
        let client = reqwest::Client::new();
        let made: Value = client
            .post(format!("{}/v1/projects", server.base))
            .bearer_auth(ROOT_KEY)
            // The publishers say when an order is done.
            .json(&json!({ "name": "Shop", "complete_on_ack": false }))
            .send()
            .await
            .expect("answered")
            .json()
            .await
            .expect("JSON");
        Self {
            client,
            base: server.base.clone(),
            project: made["project_id"].as_u64().expect("id"),
            api_key: made["api_key"].as_str().expect("key").to_owned(),
            orders: Vec::new(),
            unchecked: HashSet::new(),
            open: Vec::new(),
            acknowledged: 0,
            keys: 0,
        }
    }

    /// An endpoint for webhooks; its id.
    pub async fn create_endpoint(&self, settings: Value) -> i64 {
        let publisher = self.publisher();
        let made = publisher.ask(Method::POST, "endpoints", Some(settings));
        let (status, made) = made.await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_i64().expect("id")
    }

    /// Until nothing waits to be sent to it.
    pub async fn await_deliveries(&self, endpoint: i64) {
        let path = format!("endpoints/{endpoint}/deliveries?state=pending&limit=1");
        loop {
            let (_, shown) = self.publisher().ask(Method::GET, &path, None).await;
            if shown["deliveries"] == json!([]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Changes that were answered with 2xx so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Goes on at a server that was started again on the same data: what was acknowledged is there,
    /// and what was not answered happens once.
    pub async fn resume(&mut self, server: &Server, context: &str) {
        self.base.clone_from(&server.base);
        let unchecked = std::mem::take(&mut self.unchecked);
        let orders = self.orders.iter();
        self.check_orders(
            orders.filter(|order| unchecked.contains(&order.id)),
            context,
        )
        .await;
        for asked in std::mem::take(&mut self.open) {
            let first = self.publisher().send(&asked).await.expect("answered");
            let again = self.publisher().send(&asked).await.expect("answered");
            assert_eq!(first, again, "{context}: {asked:?}");
            self.learn(known(&first.1));
        }
    }

    /// Every order at least as new as acknowledged, its versions without gaps.
    pub async fn check(&self, context: &str) {
        self.check_orders(self.orders.iter(), context).await;
    }

    async fn check_orders(&self, orders: impl Iterator<Item = &Known>, context: &str) {
        for order in orders {
            let path = format!("orders/{}?expand=versions", order.id);
            let (status, shown) = self.publisher().ask(Method::GET, &path, None).await;
            assert_eq!(status, 200, "{context}: {order:?}");
            let version = shown["version"].as_u64().expect("version");
            // One more may have happened without an answer.
            let range = order.version..=order.version + 1;
            assert!(
                range.contains(&version),
                "{context}: {order:?} is at {version}"
            );
            let versions: Vec<_> = shown["versions"]
                .as_array()
                .expect("versions")
                .iter()
                .map(|version| version["version"].as_u64().expect("version"))
                .collect();
            assert_eq!(versions, (1..=version).collect::<Vec<_>>(), "{context}");
        }
    }

    /// Publishes with several publishers at once until `over` says so, then kills the server.
    pub async fn publish_until_killed(&mut self, server: Server, after: Duration) {
        let mut running = self.start(usize::MAX);
        tokio::time::sleep(after).await;
        server.kill();
        self.collect(&mut running).await;
    }

    /// So many orders, each to its end.
    pub async fn publish(&mut self, orders: usize) {
        let mut running = self.start(orders.div_ceil(PUBLISHERS));
        let refused = self.collect(&mut running).await;
        assert_eq!(refused, None);
    }

    /// The first refusal.
    pub async fn publish_until_refused(&mut self) -> (u16, String) {
        let mut running = self.start(usize::MAX);
        self.collect(&mut running).await.expect("refused")
    }

    fn start(&mut self, orders: usize) -> JoinSet<Learned> {
        let mut running = JoinSet::new();
        for _ in 0..PUBLISHERS {
            self.keys += 1;
            running.spawn(self.publisher().run(self.keys, orders));
        }
        running
    }

    async fn collect(&mut self, running: &mut JoinSet<Learned>) -> Option<(u16, String)> {
        let mut refused = None;
        while let Some(learned) = running.join_next().await {
            let learned = learned.expect("no panic");
            learned
                .acknowledged
                .into_iter()
                .for_each(|known| self.learn(known));
            self.open.extend(learned.open);
            refused = refused.or(learned.refused);
        }
        refused
    }

    fn learn(&mut self, known: Known) {
        self.acknowledged += 1;
        self.unchecked.insert(known.id);
        match self
            .orders
            .iter_mut()
            .rev()
            .find(|order| order.id == known.id)
        {
            Some(order) => order.version = order.version.max(known.version),
            None => self.orders.push(known),
        }
    }

    fn publisher(&self) -> Publisher {
        Publisher {
            client: self.client.clone(),
            base: format!("{}/v1/projects/{}/", self.base, self.project),
            api_key: self.api_key.clone(),
        }
    }
}

struct Publisher {
    client: reqwest::Client,
    base: String,
    api_key: String,
}

impl Publisher {
    /// Order after order, until one is refused or not answered.
    async fn run(self, number: u64, orders: usize) -> Learned {
        let mut learned = Learned::default();
        for order in 0..orders {
            let mut step = Step::Create;
            for (at, next) in [Some("paid"), Some("done"), None].into_iter().enumerate() {
                let key = format!("{number}-{order}-{at}");
                let asked = Asked { key, step };
                match self.send(&asked).await {
                    Some((status, shown)) if status < 300 => {
                        let order = known(&shown);
                        learned.acknowledged.push(order.clone());
                        step = match next {
                            Some(next) => Step::Become(order, next),
                            None => break,
                        };
                    }
                    Some((status, shown)) => {
                        let code = shown["code"].as_str().unwrap_or_default().to_owned();
                        learned.refused = Some((status, code));
                        learned.open = Some(asked);
                        return learned;
                    }
                    None => {
                        learned.open = Some(asked);
                        return learned;
                    }
                }
            }
        }
        learned
    }

    /// `None`: no answer.
    async fn send(&self, asked: &Asked) -> Option<(u16, Value)> {
        let (path, body) = match &asked.step {
            Step::Create => {
                // Several orders of one buyer share a channel.
                let user = format!("user-{}", asked.key.len() % 3);
                let price = json!({ "amount": "1.99", "currency": "USD" });
                let body = json!({ "user_external_id": user, "price": price });
                ("orders".to_owned(), body)
            }
            Step::Become(order, to) => (
                format!("orders/{}/transitions", order.id),
                json!({ "to": to }),
            ),
        };
        let answer = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.api_key)
            .header("idempotency-key", &asked.key)
            .json(&body)
            .send()
            .await
            .ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.api_key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("answered");
        let status: StatusCode = answer.status();
        (status.as_u16(), answer.json().await.expect("JSON"))
    }
}

fn known(shown: &Value) -> Known {
    Known {
        id: shown["order_id"].as_i64().expect("order_id"),
        version: shown["version"].as_u64().expect("version"),
    }
}
