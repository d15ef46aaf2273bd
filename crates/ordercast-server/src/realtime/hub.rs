//! From a channel to its connections. The store's writer publishes here after each commit.
//!
//! Lock order: a shard, then a peer. Joining happens outside of a peer's lock.

use super::{form::Form, peer::Peer};
use bytes::Bytes;
use metrics::{Counter, counter};
use ordercast_core::{channel::Channel, session::publication_reply};
use ordercast_store::Committed;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
};

const SHARDS: usize = 64;

#[derive(Debug)]
pub struct Hub {
    shards: Vec<Mutex<HashMap<Channel, Vec<Arc<Peer>>>>>,
    hasher: RandomState,
    per_user_max: usize,
    publications: Counter,
    sent: Counter,
}

impl Hub {
    pub fn new(per_user_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self {
            shards,
            hasher: RandomState::new(),
            per_user_max,
            publications: counter!("ordercast_publications_total"),
            sent: counter!("ordercast_publications_sent_total"),
        }
    }

    fn shard(&self, channel: &Channel) -> &Mutex<HashMap<Channel, Vec<Arc<Peer>>>> {
        let hash = usize::try_from(self.hasher.hash_one(channel) % SHARDS as u64).unwrap_or(0);
        &self.shards[hash]
    }

    /// Whether there was room; the bound is the user's own.
    pub fn join(&self, channel: &Channel, peer: &Arc<Peer>) -> bool {
        let mut shard = self.shard(channel).lock();
        let peers = shard.entry(channel.clone()).or_default();
        if peers.len() >= self.per_user_max {
            return false;
        }
        peers.push(Arc::clone(peer));
        true
    }

    pub fn leave(&self, channel: &Channel, peer: &Arc<Peer>) {
        let mut shard = self.shard(channel).lock();
        if let Some(peers) = shard.get_mut(channel) {
            peers.retain(|other| other.id != peer.id);
            if peers.is_empty() {
                shard.remove(channel);
            }
        }
    }

    /// Called by the writer's thread, in commit order.
    pub fn publish(&self, committed: &[Committed]) {
        self.publications.increment(committed.len() as u64);
        let mut sent = 0;
        for Committed {
            channel,
            epoch,
            publication,
        } in committed
        {
            let shard = self.shard(channel).lock();
            let Some(peers) = shard.get(channel) else {
                continue;
            };
            let reply = publication_reply(channel.name(), publication);
            let mut encoded: [Option<Bytes>; Form::COUNT] = Default::default();
            for peer in peers {
                let encoded = &mut encoded[peer.form as usize];
                if encoded.is_none() {
                    *encoded = peer.form.reply(&reply, Some(epoch));
                }
                let Some(encoded) = encoded else { continue };
                if peer.publish(epoch, publication, encoded) {
                    sent += 1;
                }
            }
        }
        self.sent.increment(sent);
    }
}
