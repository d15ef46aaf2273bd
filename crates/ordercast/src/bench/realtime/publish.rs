//! Changes of buyers, made through the server's API or, where the server is not ours, by a client's
//! publish command.

use super::{
    Scene,
    buyer::{Buyer, numbered, user},
};
use crate::bench::{
    http::{Client, request},
    order_id,
    server::Server,
};
use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use serde_json::json;
use std::time::{Duration, Instant};

/// Connections that post.
const PUBLISHERS: usize = 64;
/// Publishing clients are numbered from here: no buyer is.
const BEYOND_BUYERS: usize = 1_000_000_000;

/// A change that is one publication.
#[derive(Clone, Copy, Debug)]
pub struct Posted {
    /// Of the buyer.
    pub number: usize,
    pub order: u64,
    pub at: Instant,
    pub answered: Instant,
}

enum Publisher<'a> {
    Api {
        server: &'a Server,
        client: Box<Client>,
    },
    Client {
        template: &'a str,
        client: Box<Buyer>,
    },
}

/// Posts `count` changes of the buyers in turn.
pub async fn post(
    scene: &Scene,
    buyers: usize,
    count: usize,
    gap: Option<Duration>,
) -> anyhow::Result<Vec<Posted>> {
    scene.progress.count("changes posted", count);
    let started = tokio::time::Instant::now();
    let publisher = async |first: usize| -> anyhow::Result<Vec<Posted>> {
        let mut publisher = Publisher::connect(scene, first).await?;
        let mut posted = Vec::new();
        for turn in (first..count).step_by(PUBLISHERS) {
            let number = turn % buyers;
            if let Some(gap) = gap {
                tokio::time::sleep_until(started + gap * u32::try_from(turn)?).await;
            }
            let at = Instant::now();
            let order = publisher.publish(number, turn as u64 + 1).await?;
            let answered = Instant::now();
            posted.push(Posted {
                number,
                order,
                at,
                answered,
            });
            scene.progress.some(1);
        }
        Ok(posted)
    };
    let all = try_join_all((0..PUBLISHERS).map(publisher)).await?;
    Ok(all.into_iter().flatten().collect())
}

impl<'a> Publisher<'a> {
    async fn connect(scene: &'a Scene, first: usize) -> anyhow::Result<Self> {
        if let Some(server) = &scene.own {
            let client = Box::new(Client::connect(&server.dialer).await?);
            return Ok(Self::Api { server, client });
        }
        let template = scene.target.channel.as_deref();
        let template = template.context("--publish needs --channel")?;
        let (client, _) = Buyer::connect(&scene.target, BEYOND_BUYERS + first, None).await?;
        let client = Box::new(client);
        Ok(Self::Client { template, client })
    }

    /// The order of the publication; `turn` is the one of a server that makes no orders.
    async fn publish(&mut self, number: usize, turn: u64) -> anyhow::Result<u64> {
        match self {
            Self::Api { server, client } => create(server, client, number).await,
            Self::Client { template, client } => {
                let data = json!({ "order_id": turn, "status": "new" });
                let channel = numbered(template, number);
                // Beyond the ids of connect and subscribe.
                client.publish(turn + 10, &channel, &data).await?;
                Ok(turn)
            }
        }
    }
}

async fn create(server: &Server, client: &mut Client, number: usize) -> anyhow::Result<u64> {
    let path = format!("/v1/projects/{}/orders", server.project);
    let body = format!(
        r#"{{"user_external_id":"{}","price":{{"amount":"1.99","currency":"USD"}}}}"#,
        user(number)
    );
    let answer = client
        .send(&request("POST", &path, &server.api_key, "", &body))
        .await?;
    if answer.status != 201 {
        bail!(
            "{}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
    }
    order_id(answer.body)
}
