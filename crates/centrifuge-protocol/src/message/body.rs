//! Which of the possible bodies a command carries.
//!
//! Invariant: the order in which bodies are looked for is that of the Centrifuge server, so that
//! a command with two bodies means the same here as there.

use super::{
    Command, ConnectRequest, HistoryRequest, PingRequest, PresenceRequest, PresenceStatsRequest,
    PublishRequest, RefreshRequest, Reply, RpcRequest, SendRequest, SubRefreshRequest,
    SubscribeRequest, UnsubscribeRequest,
};

/// The body of a [`Command`], borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandBody<'a> {
    /// No known body. With id 0 this is a pong; with another id the caller decides, for it may be
    /// a command of protocol v1 or of a later version.
    Empty,
    /// See [`Command::connect`].
    Connect(&'a ConnectRequest),
    /// See [`Command::ping`].
    Ping(&'a PingRequest),
    /// See [`Command::subscribe`].
    Subscribe(&'a SubscribeRequest),
    /// See [`Command::unsubscribe`].
    Unsubscribe(&'a UnsubscribeRequest),
    /// See [`Command::publish`].
    Publish(&'a PublishRequest),
    /// See [`Command::presence`].
    Presence(&'a PresenceRequest),
    /// See [`Command::presence_stats`].
    PresenceStats(&'a PresenceStatsRequest),
    /// See [`Command::history`].
    History(&'a HistoryRequest),
    /// See [`Command::rpc`].
    Rpc(&'a RpcRequest),
    /// See [`Command::send`].
    Send(&'a SendRequest),
    /// See [`Command::refresh`].
    Refresh(&'a RefreshRequest),
    /// See [`Command::sub_refresh`].
    SubRefresh(&'a SubRefreshRequest),
}

impl Command {
    /// The first body present, in the order in which a Centrifuge server looks: connect, ping,
    /// subscribe, unsubscribe, publish, presence, presence_stats, history, rpc, send, refresh,
    /// sub_refresh. Further bodies are ignored, as there.
    pub fn body(&self) -> CommandBody<'_> {
        fn present<'a, T>(
            member: &'a Option<T>,
            body: fn(&'a T) -> CommandBody<'a>,
        ) -> Option<CommandBody<'a>> {
            member.as_ref().map(body)
        }
        present(&self.connect, CommandBody::Connect)
            .or_else(|| present(&self.ping, CommandBody::Ping))
            .or_else(|| present(&self.subscribe, CommandBody::Subscribe))
            .or_else(|| present(&self.unsubscribe, CommandBody::Unsubscribe))
            .or_else(|| present(&self.publish, CommandBody::Publish))
            .or_else(|| present(&self.presence, CommandBody::Presence))
            .or_else(|| present(&self.presence_stats, CommandBody::PresenceStats))
            .or_else(|| present(&self.history, CommandBody::History))
            .or_else(|| present(&self.rpc, CommandBody::Rpc))
            .or_else(|| present(&self.send, CommandBody::Send))
            .or_else(|| present(&self.refresh, CommandBody::Refresh))
            .or_else(|| present(&self.sub_refresh, CommandBody::SubRefresh))
            .unwrap_or(CommandBody::Empty)
    }
}

impl Reply {
    /// Whether SDKs take this for a ping and answer it with a pong: it has neither an id nor a
    /// push, whatever else it may hold.
    pub fn is_ping(&self) -> bool {
        self.id == 0 && self.push.is_none()
    }
}
