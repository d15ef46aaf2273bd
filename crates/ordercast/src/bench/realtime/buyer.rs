//! One connection of the generator: the Centrifuge client protocol, JSON, as little of it as a load
//! needs, against any server that speaks it.

use crate::bench::dial::{Dialer, Stream, tcp};
use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use ordercast_core::UserId;
use serde_json::{Value, json};
use std::{collections::VecDeque, net::IpAddr, time::Duration};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// Who connects where.
#[derive(Clone, Debug)]
pub struct Target {
    pub dialer: Dialer,
    /// As in the request: `ws://host/path` or `wss://host/path`.
    pub url: String,
    /// Connections are made from these in turn: a source address has about 28,000 ports.
    pub sources: Vec<IpAddr>,
    pub auth: Auth,
    /// Subscribed to by the client, `{n}` being its number; `None`: the server subscribes it.
    pub channel: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Auth {
    /// Nothing.
    Anonymous,
    /// The same connection token for all.
    Token(String),
    /// Connect data as JSON, `{n}` in it being the connection's number.
    Data(String),
    /// Connect data with a user JWT of each connection's own.
    Jwt { project: u64, secret: String },
}

/// Where a connection stands in its channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub channel: String,
    pub epoch: String,
    pub offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub offset: u64,
    pub data: Value,
}

pub struct Buyer {
    socket: WebSocketStream<Stream>,
    /// Of the last frame, which may hold several.
    messages: VecDeque<Value>,
    pub position: Position,
}

/// What a reply to connect or subscribe says of the channel.
pub struct Joined {
    pub recovered: bool,
    pub publications: Vec<Seen>,
}

/// Thousands of connections in one process: no buffer larger than a message.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(64 * 1024)
}

/// Of a connection: `{n}` is its number.
pub fn numbered(template: &str, number: usize) -> String {
    template.replace("{n}", &number.to_string())
}

pub fn user(number: usize) -> String {
    format!("user-{number}")
}

impl Buyer {
    /// Connects, and subscribes if the server does not do it. With a position it asks to recover.
    pub async fn connect(
        target: &Target,
        number: usize,
        since: Option<&Position>,
    ) -> anyhow::Result<(Self, Joined)> {
        let source = target.sources.get(number % target.sources.len().max(1));
        let stream = target.dialer.dial(source.copied()).await?;
        let (socket, _) =
            client_async_with_config(target.url.as_str(), stream, Some(config())).await?;
        let mut buyer = Self {
            socket,
            messages: VecDeque::new(),
            position: Position::default(),
        };
        let connect = connect_command(target, number, since)?;
        let reply = buyer
            .ask(1, &json!({ "id": 1, "connect": connect }))
            .await?;
        let joined = match &target.channel {
            None => {
                let subs = reply["connect"]["subs"].as_object();
                let sub = subs.and_then(|subs| subs.iter().next());
                let (channel, sub) = sub
                    .with_context(|| format!("no subscription in {reply}; is --channel meant?"))?;
                buyer.join(channel.clone(), sub)
            }
            Some(template) => {
                let channel = numbered(template, number);
                let mut subscribe = json!({ "channel": channel });
                recover(&mut subscribe, since);
                let command = json!({ "id": 2, "subscribe": subscribe });
                let reply = buyer.ask(2, &command).await?;
                buyer.join(channel, &reply["subscribe"])
            }
        };
        Ok((buyer, joined))
    }

    fn join(&mut self, channel: String, sub: &Value) -> Joined {
        self.position = Position {
            channel,
            epoch: sub["epoch"].as_str().unwrap_or_default().to_owned(),
            offset: sub["offset"].as_u64().unwrap_or(0),
        };
        let publications: Vec<_> = sub["publications"]
            .as_array()
            .map(|list| list.iter().map(seen).collect())
            .unwrap_or_default();
        if let Some(last) = publications.last() {
            self.position.offset = last.offset;
        }
        Joined {
            recovered: sub["recovered"] == true,
            publications,
        }
    }

    /// The whole history, as shop SDKs ask for it.
    pub async fn history(&mut self) -> anyhow::Result<()> {
        let channel = &self.position.channel;
        let since = json!({ "offset": 0, "epoch": self.position.epoch });
        let history = json!({ "channel": channel, "limit": -1, "since": since });
        self.ask(3, &json!({ "id": 3, "history": history })).await?;
        Ok(())
    }

    /// Publishes as a client: servers allow it where they are told to.
    pub async fn publish(&mut self, id: u64, channel: &str, data: &Value) -> anyhow::Result<()> {
        let publish = json!({ "channel": channel, "data": data });
        let command = json!({ "id": id, "publish": publish });
        self.ask(id, &command).await?;
        Ok(())
    }

    /// The next publication; pings are answered meanwhile.
    pub async fn next(&mut self) -> anyhow::Result<Seen> {
        loop {
            let message = self.message().await?;
            if let Some(publication) = message["push"]["pub"].as_object() {
                let seen = seen(&Value::Object(publication.clone()));
                self.position.offset = seen.offset;
                return Ok(seen);
            }
        }
    }

    pub async fn close(mut self) -> anyhow::Result<()> {
        self.socket.close(None).await?;
        // Until the server has closed too: its part of the work belongs to the session.
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }

    /// As a network does that breaks: without a goodbye.
    pub fn reset(self) -> anyhow::Result<Position> {
        if let Some(stream) = tcp(self.socket.get_ref()) {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(self.position)
    }

    async fn ask(&mut self, id: u64, command: &Value) -> anyhow::Result<Value> {
        self.socket.send(Message::text(command.to_string())).await?;
        loop {
            let message = self.message().await?;
            if message["id"] == id {
                if message["error"].is_object() {
                    bail!("{command} was refused: {}", message["error"]);
                }
                return Ok(message);
            }
        }
    }

    /// The next message that is not a ping.
    async fn message(&mut self) -> anyhow::Result<Value> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(message);
            }
            match self.socket.next().await.context("the server hung up")?? {
                Message::Text(text) => {
                    for message in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
                        match message? {
                            Value::Object(ping) if ping.is_empty() => {
                                self.socket.send(Message::text("{}")).await?;
                            }
                            message => self.messages.push_back(message),
                        }
                    }
                }
                Message::Close(frame) => bail!("closed by the server: {frame:?}"),
                _ => {}
            }
        }
    }
}

fn connect_command(
    target: &Target,
    number: usize,
    since: Option<&Position>,
) -> anyhow::Result<Value> {
    let mut connect = match &target.auth {
        Auth::Anonymous => json!({}),
        Auth::Token(token) => json!({ "token": token }),
        Auth::Data(template) => {
            let data: Value = serde_json::from_str(&numbered(template, number))
                .with_context(|| format!("--data {template:?} is not JSON"))?;
            json!({ "data": data })
        }
        Auth::Jwt { project, secret } => {
            let user = UserId::new(&user(number))?;
            let jwt = crate::token::mint_hs256(secret, &user)?;
            json!({ "data": { "user_external_id": user, "auth": jwt, "project_id": project } })
        }
    };
    if let (None, Some(position)) = (&target.channel, since) {
        let mut sub = json!({});
        recover(&mut sub, since);
        connect["subs"] = json!({ &position.channel: sub });
    }
    Ok(connect)
}

fn recover(subscribe: &mut Value, since: Option<&Position>) {
    if let Some(Position { epoch, offset, .. }) = since {
        subscribe["recover"] = json!(true);
        subscribe["epoch"] = json!(epoch);
        subscribe["offset"] = json!(offset);
    }
}

fn seen(publication: &Value) -> Seen {
    Seen {
        offset: publication["offset"].as_u64().unwrap_or(0),
        data: publication["data"].clone(),
    }
}
