//! Arbitrary messages, read off arbitrary bytes so that failures shrink well.

use std::collections::BTreeMap;

use centrifuge_protocol::*;
use proptest::prelude::*;

/// Any message of type `T`. Ids of commands and replies are any 64-bit number.
pub fn message<T: Sample + std::fmt::Debug>() -> impl Strategy<Value = T> {
    proptest::collection::vec(any::<u8>(), 0..400)
        .prop_map(|bytes| T::sample(&mut Source { bytes, next: 0 }))
}

/// Bytes to choose by; zeros, which mean "absent" and "empty", when they are used up.
pub struct Source {
    bytes: Vec<u8>,
    next: usize,
}

impl Source {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        byte
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }
}

pub trait Sample {
    fn sample(source: &mut Source) -> Self;
}

impl Sample for bool {
    fn sample(source: &mut Source) -> Self {
        source.byte() % 2 == 1
    }
}

macro_rules! sample_integers {
    ($($integer:ty),*) => {$(
        impl Sample for $integer {
            fn sample(source: &mut Source) -> Self {
                let small = <$integer>::from(source.byte() / 2);
                source.choose(&[0, 1, small, <$integer>::MIN, <$integer>::MAX])
            }
        }
    )*};
}
sample_integers!(i32, i64, u32, u64);

impl Sample for String {
    fn sample(source: &mut Source) -> Self {
        source
            .choose(&[
                "",
                "#u42",
                "a\"b\\c",
                "line\nbreak\r\t\0",
                "ünï – ☃ 🦀",
                "\u{2028}",
            ])
            .into()
    }
}

/// Payloads that JSON carries as they are: values without line breaks and without surrounding
/// whitespace, and not `null`, which means absent there.
impl Sample for Bytes {
    fn sample(source: &mut Source) -> Self {
        Bytes::from_static(
            source
                .choose(&[
                    "",
                    "{}",
                    r#"{"order_id":1,"status":"paid"}"#,
                    "[1, 2.50,\t-3e7, null]",
                    "0",
                    "18446744073709551616",
                    "false",
                    r#""""#,
                    r#""\n\ud800☃""#,
                    r#"{"a":1,"a":2}"#,
                ])
                .as_bytes(),
        )
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source) -> Self {
        (source.byte() % 4 == 1).then(|| T::sample(source))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(source: &mut Source) -> Self {
        (0..source.choose(&[0, 0, 1, 2]))
            .map(|_| T::sample(source))
            .collect()
    }
}

impl<T: Sample> Sample for BTreeMap<String, T> {
    fn sample(source: &mut Source) -> Self {
        (0..source.choose(&[0, 0, 1, 2]))
            .map(|_| (String::sample(source), T::sample(source)))
            .collect()
    }
}

// Naming every field makes a new one break the build here.
macro_rules! sample_messages {
    ($($message:ident { $($field:ident),* $(,)? })*) => {$(
        impl Sample for $message {
            fn sample(_source: &mut Source) -> Self {
                $message { $($field: Sample::sample(_source)),* }
            }
        }
    )*};
}

sample_messages! {
    Command {
        id, connect, subscribe, unsubscribe, publish, presence, presence_stats, history, ping,
        send, rpc, refresh, sub_refresh,
    }
    Reply {
        id, error, push, connect, subscribe, unsubscribe, publish, presence, presence_stats,
        history, ping, rpc, refresh, sub_refresh,
    }
    Push {
        id, channel, publication, join, leave, unsubscribe, message, subscribe, connect,
        disconnect, refresh,
    }
    Error { code, message, temporary }
    ConnectRequest { token, data, subs, name, version, headers, flag, dict, profile }
    ConnectResult {
        client, version, expires, ttl, data, subs, ping, pong, session, node, time, flag, dict,
    }
    Dictionary { id, data, data_b64 }
    SubscribeRequest {
        channel, token, recover, epoch, offset, data, positioned, recoverable, join_leave, delta,
        tf, flag, r#type, phase, cursor, limit, asc,
    }
    SubscribeResult {
        expires, ttl, recoverable, epoch, publications, recovered, offset, positioned, data,
        was_recovering, delta, id, r#type, phase, cursor, state, publish_debounce,
    }
    UnsubscribeRequest { channel }
    UnsubscribeResult {}
    PublishRequest { channel, data, r#type, key, removed }
    PublishResult {}
    PresenceRequest { channel }
    PresenceResult { presence }
    PresenceStatsRequest { channel }
    PresenceStatsResult { num_clients, num_users }
    HistoryRequest { channel, limit, since, reverse }
    HistoryResult { publications, epoch, offset }
    StreamPosition { offset, epoch }
    PingRequest {}
    PingResult {}
    SendRequest { data }
    RpcRequest { data, method }
    RpcResult { data }
    RefreshRequest { token }
    RefreshResult { client, version, expires, ttl }
    SubRefreshRequest { channel, token, r#type, track, untrack }
    SubRefreshResult { expires, ttl, items }
    TrackBatch { signature, items }
    KeyedItem { key, version }
    Publication {
        data, info, offset, tags, delta, time, channel, key, removed, score, epoch, prev_data,
        version,
    }
    ClientInfo { user, client, conn_info, chan_info }
    FilterNode { op, key, cmp, val, vals, nodes }
    Join { info }
    Leave { info }
    Unsubscribe { code, reason }
    Subscribe { recoverable, epoch, offset, positioned, data }
    Message { data }
    Connect { client, version, data, subs, expires, ttl, ping, pong, session, node, time }
    Disconnect { code, reason, reconnect }
    Refresh { expires, ttl }
}
