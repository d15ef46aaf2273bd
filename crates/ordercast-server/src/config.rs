//! The server's configuration. The field docs are the reference that `ordercast config` prints;
//! the names of environment variables and of the file's keys derive from the fields.

mod layers;
mod names;

pub use layers::{Origin, Setting};
pub use names::OTHER_VARIABLES;

use crate::{
    auth::{Rates, jwks::address::Reach},
    http::client_address::{Proxies, ProxyHeader},
    outbound::guard::Policy,
    realtime::origin::AllowedOrigin,
    tls,
};
use confique::Config as Layered;
use ipnet::IpNet;
use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// File keys as they stand; environment variables `ORDERCAST_` and the upper-case name.
#[derive(Clone, Layered)]
#[config(layer_attr(derive(Clone, serde::Serialize)))]
pub struct Config {
    /// Address and port to listen on. Port 0 takes a free one.
    #[config(env = "ORDERCAST_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address and port of the internal listener: `/metrics`, `/health/live`, `/health/ready`, `/docs`
    /// and `/openapi.json`. They need no key, so keep it in the operator's own network. Without it,
    /// loopback at the port 1000 above that of `listen`, or a free one when that is taken; the log
    /// says which.
    #[config(env = "ORDERCAST_INTERNAL_LISTEN")]
    pub internal_listen: Option<SocketAddr>,

    /// Folder of the database and of generated keys; made if it is missing.
    #[config(env = "ORDERCAST_DATA_DIR", default = "ordercast-data")]
    pub data_dir: PathBuf,

    /// The operator's key, at least 32 characters: it makes projects. Without it one is made and
    /// kept in `root.key` in the data folder.
    #[config(env = "ORDERCAST_ROOT_KEY")]
    pub root_key: Option<String>,

    /// Seals the secrets in the database (shared secrets of user JWTs and of provider webhooks), at
    /// least 32 characters, random. Without it one is made and kept in `secrets.key` in the data
    /// folder: a backup is worth nothing without that file, and who has both reads the secrets.
    #[config(env = "ORDERCAST_SECRETS_KEY")]
    pub secrets_key: Option<String>,

    /// The secrets_key until now, to change it: the next start seals everything with the new one, and
    /// then this one can go.
    #[config(env = "ORDERCAST_SECRETS_KEY_BEFORE")]
    pub secrets_key_before: Option<String>,

    /// Origins whose pages may open a realtime connection, for example
    /// ["https://shop.example", "https://*.preview.shop.example"], where the * stands for a part of one
    /// label; "*" allows all, "loopback" those of this machine. Pages of the host that was asked for may
    /// always, and so may programs that send no Origin.
    #[config(env = "ORDERCAST_ALLOWED_ORIGINS", parse_env = confique::env::parse::list_by_comma, default = [])]
    pub allowed_origins: Vec<AllowedOrigin>,

    /// File of the server's TLS certificate, PEM, followed by those that signed it. With it and
    /// `tls_key` the server speaks https and wss itself; without them a proxy in front may do so. A
    /// renewed pair is taken into use without a restart.
    #[config(env = "ORDERCAST_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,

    /// File of the private key of `tls_certificate`, PEM, without a passphrase.
    #[config(env = "ORDERCAST_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Seconds in which a client must have said the head of a request, 1 to 60. For the first one they
    /// begin with the connection: a TLS handshake is part of them.
    #[config(env = "ORDERCAST_HEAD_SECONDS", default = 10)]
    pub head_seconds: u32,

    /// Seconds for which a connection may wait for its next request, 1 to 3600. Longer than a balancer
    /// in front keeps its own, so that it never sends a request into a connection that is being closed.
    #[config(env = "ORDERCAST_IDLE_SECONDS", default = 75)]
    pub idle_seconds: u32,

    /// How long a stopping server takes to close its realtime connections, seconds, 0 to 300. They
    /// are spread over that time, so that the next server is not stormed. Other requests are answered
    /// until 2 seconds after it: clients whose connection was closed poll at once.
    #[config(env = "ORDERCAST_DRAIN_SECONDS", default = 5)]
    pub drain_seconds: u32,

    /// Life of a realtime connection, seconds, 10 to 86400.
    #[config(env = "ORDERCAST_CONNECTION_LIFETIME_SECONDS", default = 300)]
    pub connection_lifetime_seconds: u32,

    /// Seconds between pings, 5 to 25: SDKs in the field expect at most 25.
    #[config(env = "ORDERCAST_PING_SECONDS", default = 25)]
    pub ping_seconds: u32,

    /// Realtime connections of one user, 1 or more.
    #[config(env = "ORDERCAST_CONNECTIONS_PER_USER", default = 8)]
    pub connections_per_user: usize,

    /// Realtime connections from one address, or from one /64 network of IPv6, 1 or more.
    #[config(env = "ORDERCAST_CONNECTIONS_PER_IP", default = 64)]
    pub connections_per_ip: usize,

    /// Realtime connections in all, 1 or more. Without it, what the limit of open files and the memory
    /// allow: nine tenths of the sockets, and half the memory at 32 KiB a connection.
    #[config(env = "ORDERCAST_CONNECTIONS")]
    pub connections: Option<usize>,

    /// Connections from one address that are not realtime ones, 1 or more: those that wait for a request
    /// or for its answer. Without it 1,024, or a quarter of all sockets where that is less, but never
    /// fewer than `connections_per_ip`, because each of those begins as one. Trusted proxies may have any
    /// number.
    #[config(env = "ORDERCAST_HTTP_CONNECTIONS_PER_IP")]
    pub http_connections_per_ip: Option<usize>,

    /// Requests of one API key, per second, twice as many at once; 429 beyond. 0: no limit. The root
    /// key has none.
    #[config(env = "ORDERCAST_REQUESTS_PER_KEY", default = 50)]
    pub requests_per_key: u32,

    /// Orders that one buyer makes, per second, twice as many at once; as often, a buyer uses carts or
    /// reads events. 0: no limit.
    #[config(env = "ORDERCAST_ORDERS_PER_BUYER", default = 20)]
    pub orders_per_buyer: u32,

    /// Requests of guests about carts, and for new orders, from one address or one /64 network of IPv6, per
    /// second, ten times as many at once; 0: no limit.
    #[config(env = "ORDERCAST_GUEST_REQUESTS_PER_ADDRESS", default = 5)]
    pub guest_requests_per_address: u32,

    /// The same of all guests of one project.
    #[config(env = "ORDERCAST_GUEST_REQUESTS_PER_PROJECT", default = 100)]
    pub guest_requests_per_project: u32,

    /// Polls of one order by its buyers, per second, 4 or more, ten times as many at once; 0: no limit.
    /// SDKs in the field give an order up at the first 429.
    #[config(env = "ORDERCAST_POLLS_PER_ORDER", default = 4)]
    pub polls_per_order: u32,

    /// New realtime connections a second, 1 or more, once `connect_burst` is used up. Beyond it they
    /// are told to come again in a second.
    #[config(env = "ORDERCAST_CONNECTS_PER_SECOND", default = 5000)]
    pub connects_per_second: u32,

    /// Realtime connections that may come at once, 1 or more, as after a restart.
    #[config(env = "ORDERCAST_CONNECT_BURST", default = 20000)]
    pub connect_burst: u32,

    /// New realtime connections a second from one address, or from one /64 network of IPv6, 1 or more,
    /// once sixteen times `connections_per_ip` have come at once. Without it, `connections_per_ip`.
    #[config(env = "ORDERCAST_CONNECTS_PER_SECOND_PER_IP")]
    pub connects_per_second_per_ip: Option<u32>,

    /// Log every request: method, path without its query, status, time, address and request id. Polls
    /// of orders that are answered out of memory and realtime frames are counted, not logged.
    #[config(env = "ORDERCAST_ACCESS_LOG", default = false)]
    pub access_log: bool,

    /// Log requests that take at least this long, milliseconds; 0: none. Not those that ask to wait.
    #[config(env = "ORDERCAST_SLOW_REQUEST_MS", default = 1000)]
    pub slow_request_ms: u32,

    /// Networks of the proxies in front of the server, for example ["10.0.0.0/8"]. From them, and from
    /// nobody else, `proxy_header` is believed: the limits per address then count clients, not proxies.
    #[config(env = "ORDERCAST_TRUSTED_PROXIES", parse_env = confique::env::parse::list_by_comma, default = [])]
    pub trusted_proxies: Vec<IpNet>,

    /// The header in which the trusted proxies write who the client is: "X-Forwarded-For", "Forwarded"
    /// (RFC 7239), or another that holds addresses by comma, for example "X-Real-IP". No other one is
    /// looked at: what a proxy does not write, a client can. The host that was asked for is taken from
    /// `Forwarded`, or else from `X-Forwarded-Host`.
    #[config(env = "ORDERCAST_PROXY_HEADER", default = "X-Forwarded-For")]
    pub proxy_header: ProxyHeader,

    /// Days for which an Idempotency-Key is remembered, 1 to 365; longer while its order is not paid
    /// and delivered.
    #[config(env = "ORDERCAST_IDEMPOTENCY_DAYS", default = 7)]
    pub idempotency_days: u32,

    /// Days for which providers' webhooks are kept, 30 or more. Without it, for ever. A webhook that
    /// comes again after that is no longer known as a duplicate, but still changes nothing.
    #[config(env = "ORDERCAST_INBOX_DAYS")]
    pub inbox_days: Option<u32>,

    /// Days for which a provider's webhook waits for the order that it named, or for an event that names
    /// one, 1 or more. After them it is put aside with that reason, and can still be matched by hand.
    #[config(env = "ORDERCAST_PARKED_DAYS", default = 30)]
    pub parked_days: u32,

    /// Days for which publications can be replayed, 1 or more, and at the least the life of a realtime
    /// connection. A client that comes back from before them is told that it cannot recover, and reads
    /// its order. Without it, for ever.
    #[config(env = "ORDERCAST_PUBLICATION_DAYS")]
    pub publication_days: Option<u32>,

    /// Days for which deliveries of webhooks, their attempts and the operator events are kept once they
    /// are finished, 1 or more. Without it, for ever. What is older cannot be replayed: nobody knows any
    /// more what of it was sent.
    #[config(env = "ORDERCAST_DELIVERY_DAYS")]
    pub delivery_days: Option<u32>,

    /// Days after the end of their life for which orders of guests are kept that nobody has ever paid
    /// anything for, 1 to 3650.
    #[config(env = "ORDERCAST_GUEST_ORDER_DAYS", default = 3)]
    pub guest_order_days: u32,

    /// Memory for what need not be read from the disk again (orders, publications, pages of the
    /// database, verified tokens), MiB, all together, 16 to 65536.
    #[config(env = "ORDERCAST_CACHE_MB", default = 128)]
    pub cache_mb: u32,

    /// Networks that webhooks may be sent to although their addresses are not public, for example
    /// ["10.0.0.0/8", "127.0.0.0/8"]: for shops' backends in your own network. A project's
    /// administrators can then make the server send to any address in them.
    #[config(env = "ORDERCAST_WEBHOOK_NETWORKS", parse_env = confique::env::parse::list_by_comma, default = [])]
    pub webhook_networks: Vec<IpNet>,

    /// Let webhooks be sent over http too, which anybody on the way can read.
    #[config(env = "ORDERCAST_WEBHOOK_HTTP", default = false)]
    pub webhook_http: bool,

    /// Let webhooks be sent to other ports than 443 and 8443 (and 80, with `webhook_http`).
    #[config(env = "ORDERCAST_WEBHOOK_ANY_PORT", default = false)]
    pub webhook_any_port: bool,

    /// Seconds in which an endpoint must have answered, 1 to 60.
    #[config(env = "ORDERCAST_WEBHOOK_TIMEOUT_SECONDS", default = 15)]
    pub webhook_timeout_seconds: u32,

    /// File of certificates, PEM, that endpoints may be signed by beside those that the system trusts.
    #[config(env = "ORDERCAST_WEBHOOK_CERTIFICATES")]
    pub webhook_certificates: Option<PathBuf>,

    /// Let key sets of user JWTs be fetched from private addresses too, and over http from this
    /// machine: for an identity provider in your own network. A project's administrators can then
    /// make the server ask any address of that network.
    #[config(env = "ORDERCAST_JWKS_ALLOW_PRIVATE", default = false)]
    pub jwks_allow_private: bool,
}

/// Without the keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot be used: which one, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Layer(#[from] confique::Error),
    #[error("cannot read the configuration file {file}: {source}")]
    File { file: PathBuf, source: io::Error },
    #[error("{file} is not TOML: {why}")]
    Syntax { file: PathBuf, why: String },
    #[error("{file}: there is no setting {key}; {hint}")]
    UnknownKey {
        file: PathBuf,
        key: String,
        hint: String,
    },
    #[error("there is no variable {name}; {hint}")]
    UnknownVariable { name: String, hint: String },
    #[error("{file}: {why}")]
    Setting { file: PathBuf, why: String },
    #[error("the settings cannot be shown: {0}")]
    Show(String),
    #[error("{name} is {value}; it must be {rule}")]
    Value {
        name: &'static str,
        value: String,
        rule: &'static str,
    },
}

/// The part of a configuration that the command line gives.
pub type Partial = <Config as Layered>::Layer;

impl Config {
    /// Command line over environment over file over defaults.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn load(flags: Partial, file: Option<&Path>) -> Result<Self, ConfigError> {
        names::check_variables(std::env::vars_os())?;
        let mut builder = Self::builder().preloaded(flags).env();
        if let Some(file) = file {
            builder = builder.preloaded(read_file(file)?);
        }
        let config = builder.load()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let range = |name, value: u32, range: std::ops::RangeInclusive<u32>, rule| {
            if range.contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::Value {
                    name,
                    value: value.to_string(),
                    rule,
                })
            }
        };
        range("drain_seconds", self.drain_seconds, 0..=300, "0 to 300")?;
        range("head_seconds", self.head_seconds, 1..=60, "1 to 60")?;
        range("idle_seconds", self.idle_seconds, 1..=3_600, "1 to 3600")?;
        // With none of these anybody could come in.
        for (name, count) in [
            ("connections_per_user", self.connections_per_user),
            ("connections_per_ip", self.connections_per_ip),
            ("connections", self.connections.unwrap_or(1)),
            (
                "http_connections_per_ip",
                self.http_connections_per_ip.unwrap_or(1),
            ),
        ] {
            if count == 0 {
                return Err(ConfigError::Value {
                    name,
                    value: count.to_string(),
                    rule: "1 or more",
                });
            }
        }
        range("ping_seconds", self.ping_seconds, 5..=25, "5 to 25")?;
        range(
            "connection_lifetime_seconds",
            self.connection_lifetime_seconds,
            10..=86_400,
            "10 to 86400",
        )?;
        range(
            "idempotency_days",
            self.idempotency_days,
            1..=365,
            "1 to 365",
        )?;
        range(
            "guest_order_days",
            self.guest_order_days,
            1..=3_650,
            "1 to 3650",
        )?;
        range("cache_mb", self.cache_mb, 16..=65_536, "16 to 65536")?;
        if (1..4).contains(&self.polls_per_order) {
            return Err(ConfigError::Value {
                name: "polls_per_order",
                value: self.polls_per_order.to_string(),
                rule: "4 or more, or 0 for no limit",
            });
        }
        let any = 1..=u32::MAX;
        range(
            "connects_per_second",
            self.connects_per_second,
            any.clone(),
            "1 or more",
        )?;
        range(
            "connects_per_second_per_ip",
            self.connects_per_second_per_ip.unwrap_or(1),
            any.clone(),
            "1 or more",
        )?;
        range("connect_burst", self.connect_burst, any, "1 or more")?;
        let lone = |name, value: &PathBuf, rule| {
            let value = value.display().to_string();
            Err(ConfigError::Value { name, value, rule })
        };
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(file), None) => lone("tls_certificate", file, "set together with tls_key")?,
            (None, Some(file)) => lone("tls_key", file, "set together with tls_certificate")?,
        }
        let days = self.inbox_days.unwrap_or(30);
        range("inbox_days", days, 30..=36_500, "30 or more")?;
        range("parked_days", self.parked_days, 1..=36_500, "1 or more")?;
        let days = self.delivery_days.unwrap_or(1);
        range("delivery_days", days, 1..=36_500, "1 or more")?;
        let seconds = self.webhook_timeout_seconds;
        range("webhook_timeout_seconds", seconds, 1..=60, "1 to 60")?;
        let days = self.publication_days.unwrap_or(1);
        range("publication_days", days, 1..=36_500, "1 or more")?;
        for (name, key) in [
            ("root_key", &self.root_key),
            ("secrets_key", &self.secrets_key),
            ("secrets_key_before", &self.secrets_key_before),
        ] {
            if key.as_ref().is_some_and(|key| key.len() < 32) {
                return Err(ConfigError::Value {
                    name,
                    value: "too short".to_owned(),
                    rule: "at least 32 characters",
                });
            }
        }
        Ok(())
    }

    /// Where the key pair is, if the server speaks TLS itself.
    #[must_use]
    pub fn tls_files(&self) -> Option<tls::Files> {
        let certificate = self.tls_certificate.clone()?;
        let key = self.tls_key.clone()?;
        Some(tls::Files { certificate, key })
    }

    pub(crate) fn proxies(&self) -> Proxies {
        Proxies::new(self.trusted_proxies.clone(), self.proxy_header.clone())
    }

    pub(crate) fn jwks_reach(&self) -> Reach {
        if self.jwks_allow_private {
            Reach::Anywhere
        } else {
            Reach::Public
        }
    }

    /// In bytes.
    pub(crate) fn cache(&self) -> usize {
        usize::try_from(self.cache_mb)
            .unwrap_or(usize::MAX)
            .saturating_mul(1024 * 1024)
    }

    pub(crate) fn webhook_policy(&self) -> Policy {
        Policy {
            allow_http: self.webhook_http,
            allow_any_port: self.webhook_any_port,
            allowed_networks: self.webhook_networks.clone(),
            allow_any_address: false,
        }
    }

    pub(crate) fn rates(&self) -> Rates {
        Rates {
            requests_per_key: self.requests_per_key,
            orders_per_buyer: self.orders_per_buyer,
            polls_per_order: self.polls_per_order,
            guest_requests_per_address: self.guest_requests_per_address,
            guest_requests_per_project: self.guest_requests_per_project,
        }
    }

    /// The reference: a file with every setting, its default and what it does.
    #[must_use]
    pub fn reference() -> String {
        confique::toml::template::<Self>(confique::toml::FormatOptions::default())
    }
}

/// A file that was named must be there, and every key in it must be a setting.
fn read_file(file: &Path) -> Result<Partial, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::File {
        file: file.to_owned(),
        source,
    })?;
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        file: file.to_owned(),
        why: error.to_string(),
    };
    names::check_keys(&text.parse().map_err(syntax)?, file)?;
    toml::from_str(&text).map_err(|error| ConfigError::Setting {
        file: file.to_owned(),
        why: error.to_string(),
    })
}
