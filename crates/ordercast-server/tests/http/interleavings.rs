//! The promise, at random: changes, connects, broken sockets and restarts in any order; what each
//! client has read, put together over all its sessions, is the run of the log that it was promised
//! (guarantees, I8, I11 to I14, I16).

use crate::support::{Fixture, start_default, user_jwt};
use futures_util::{SinkExt, StreamExt, future::join_all};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const USERS: usize = 3;
const CLIENTS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// The shop makes an order, or moves one on.
    Change {
        user: usize,
    },
    /// A client opens its connection, or closes the one that it has.
    Toggle {
        client: usize,
    },
    /// A client connects while its user's orders change.
    ConnectDuring {
        client: usize,
        changes: usize,
    },
    /// A client reads all that there is for it.
    Read {
        client: usize,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let client = 0..CLIENTS;
    prop_oneof![
        8 => user.prop_map(|user| Step::Change { user }),
        4 => client.clone().prop_map(|client| Step::Toggle { client }),
        6 => (client.clone(), 1_usize..5)
            .prop_map(|(client, changes)| Step::ConnectDuring { client, changes }),
        3 => client.prop_map(|client| Step::Read { client }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn every_client_reads_its_run_of_the_log(steps in vec(step(), 80..160)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(run(steps));
    }
}

async fn run(steps: Vec<Step>) {
    let mut shop = Shop {
        f: start_default().await,
        logs: vec![Log::new(); USERS],
        open: vec![Vec::new(); USERS],
    };
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|number| Client::of(number % USERS))
        .collect();
    for step in steps {
        match step {
            Step::Change { user } => shop.change(user, 1).await,
            Step::Toggle { client } => {
                let client = &mut clients[client];
                if client.socket.take().is_none() {
                    client.connect(&shop.f).await;
                }
            }
            Step::ConnectDuring { client, changes } => {
                let client = &mut clients[client];
                client.socket = None;
                let answers = shop.ask(client.user, changes);
                let (answers, ()) = tokio::join!(answers, client.connect(&shop.f));
                shop.learn(client.user, answers);
            }
            Step::Read { client } => {
                let client = &mut clients[client];
                client.read_to(shop.top(client.user)).await;
            }
            Step::Restart => {
                clients.iter_mut().for_each(|client| client.socket = None);
                shop.f.restart().await;
            }
        }
    }
    for client in &mut clients {
        if client.socket.is_none() {
            client.connect(&shop.f).await;
        }
        client.read_to(shop.top(client.user)).await;
        let log = &shop.logs[client.user];
        let offsets: Vec<_> = log.keys().copied().collect();
        assert_eq!(offsets, (1..=shop.top(client.user)).collect::<Vec<_>>());
        let promised = log.range(client.first + 1..);
        let promised: Vec<_> = promised.map(|(at, what)| (*at, what.clone())).collect();
        assert_eq!(client.read, promised);
    }
}

/// Order and status by offset, as the answers told.
type Log = BTreeMap<u64, (i64, String)>;

struct Shop {
    f: Fixture,
    logs: Vec<Log>,
    /// Orders of a user that can still be moved on, with where to.
    open: Vec<Vec<(i64, &'static str)>>,
}

impl Shop {
    fn top(&self, user: usize) -> u64 {
        self.logs[user].keys().next_back().copied().unwrap_or(0)
    }

    async fn change(&mut self, user: usize, count: usize) {
        let answers = self.ask(user, count).await;
        self.learn(user, answers);
    }

    /// Changes of several orders of a user, at once.
    fn ask(&mut self, user: usize, count: usize) -> impl Future<Output = Vec<Value>> + use<> {
        let requests: Vec<_> = (0..count)
            .map(|_| match self.open[user].pop() {
                Some((order, to)) => {
                    let path = format!("/orders/{order}/transitions");
                    (self.f.v1(&path), json!({ "to": to }))
                }
                None => {
                    let price = json!({ "amount": "1.99", "currency": "USD" });
                    let body = json!({ "user_external_id": name(user), "price": price });
                    (self.f.v1("/orders"), body)
                }
            })
            .collect();
        let (client, base) = (self.f.client.clone(), self.f.base.clone());
        let key = self.f.api_key.clone();
        async move {
            let requests = requests.into_iter().map(|(path, body)| {
                let request = client.post(format!("{base}{path}")).bearer_auth(&key);
                async move {
                    let answer = request.json(&body).send().await.expect("answered");
                    assert!(answer.status().is_success(), "{body}: {answer:?}");
                    answer.json::<Value>().await.expect("JSON")
                }
            });
            join_all(requests).await
        }
    }

    fn learn(&mut self, user: usize, answers: Vec<Value>) {
        for answer in answers {
            let order = answer["order_id"].as_i64().expect("order_id");
            let status = answer["status"].as_str().expect("status").to_owned();
            match status.as_str() {
                "new" => self.open[user].push((order, "paid")),
                "paid" => self.open[user].push((order, "done")),
                _ => {}
            }
            let offset = answer["position"]["offset"].as_u64().expect("offset");
            let before = self.logs[user].insert(offset, (order, status));
            assert_eq!(before, None, "offset {offset} was taken");
        }
    }
}

fn name(user: usize) -> String {
    format!("user-{user}")
}

struct Client {
    user: usize,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    /// Epoch and offset, once there was a session.
    position: Option<(String, u64)>,
    /// Where it stood when it came first.
    first: u64,
    read: Vec<(u64, (i64, String))>,
}

impl Client {
    const fn of(user: usize) -> Self {
        Self {
            user,
            socket: None,
            position: None,
            first: 0,
            read: Vec::new(),
        }
    }

    async fn connect(&mut self, f: &Fixture) {
        let url = f.base.replace("http", "ws") + "/connection/websocket";
        let (mut socket, _) = connect_async(url).await.expect("upgrade");
        let channel = format!("orders:{}#{}", f.project, name(self.user));
        let data = json!({ "auth": user_jwt(&name(self.user)), "project_id": f.project });
        let mut connect = json!({ "data": data });
        if let Some((epoch, offset)) = &self.position {
            let sub = json!({ "recover": true, "epoch": epoch, "offset": offset });
            connect["subs"] = json!({ &channel: sub });
        }
        let command = json!({ "id": 1, "connect": connect }).to_string();
        socket.send(Message::text(command)).await.expect("sent");
        self.socket = Some(socket);
        let reply = self.message().await;
        let sub = &reply["connect"]["subs"][&channel];
        let epoch = sub["epoch"].as_str().expect("epoch").to_owned();
        let offset = sub["offset"].as_u64().unwrap_or(0);
        match &self.position {
            None => {
                self.first = offset;
                self.position = Some((epoch, offset));
            }
            Some((known, at)) => {
                assert_eq!(sub["recovered"], true, "{reply}");
                assert_eq!((known, *at), (&epoch, offset), "{reply}");
                for publication in sub["publications"].as_array().into_iter().flatten() {
                    self.take(publication);
                }
            }
        }
    }

    /// The next one of the channel, and no other.
    fn take(&mut self, publication: &Value) {
        let offset = publication["offset"].as_u64().expect("offset");
        let (_, at) = self.position.as_mut().expect("a position");
        assert_eq!(offset, *at + 1, "{publication}");
        *at = offset;
        let order = publication["data"]["order_id"].as_i64().expect("order_id");
        let status = publication["data"]["status"].as_str().expect("status");
        self.read.push((offset, (order, status.to_owned())));
    }

    /// Without a connection it reads nothing.
    async fn read_to(&mut self, top: u64) {
        while self.socket.is_some() && self.position.as_ref().is_some_and(|(_, at)| *at < top) {
            let message = self.message().await;
            self.take(&message["push"]["pub"]);
        }
    }

    async fn message(&mut self) -> Value {
        let socket = self.socket.as_mut().expect("connected");
        loop {
            match socket.next().await.expect("a frame").expect("a frame") {
                Message::Text(text) if text.as_str() == "{}" => {
                    socket.send(Message::text("{}")).await.expect("sent");
                }
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}
