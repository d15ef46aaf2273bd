//! What to track and where.
//!
//! Invariant: an [`Endpoints`] is complete and correct; nothing behind it looks at the URL again.
//! `Debug` of either leaves out the token. Callers fill [`TrackerConfig`], the tracker parses it.

use std::fmt;

use centrifuge_protocol::Encoding;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use ordercast_core::{OrderId, ProjectId, UserId};

use crate::error::ConfigError;

/// What to track and where.
#[derive(Clone)]
pub struct TrackerConfig {
    /// Base of the server: scheme, host, port and perhaps a path before `/connection/websocket`
    /// and `/api`. `ws` and `wss` mean `http` and `https`.
    pub url: String,
    /// The shop's project.
    pub project_id: ProjectId,
    /// User JWT, or the payment token that came with an order.
    pub auth: String,
    /// Checked by the server against the token, if present.
    pub user_external_id: Option<UserId>,
    /// The order to poll while there is no connection; its present status is fetched at the
    /// start. Without one the tracker shows all orders of the buyer and never polls.
    pub order_id: Option<OrderId>,
    /// End once `order_id` is done or canceled.
    pub until_final: bool,
    /// How messages are written.
    pub encoding: Encoding,
}

impl TrackerConfig {
    /// All orders of the token's user, in JSON.
    #[must_use]
    pub fn new(url: impl Into<String>, project_id: ProjectId, auth: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            project_id,
            auth: auth.into(),
            user_external_id: None,
            order_id: None,
            until_final: false,
            encoding: Encoding::Json,
        }
    }
}

impl fmt::Debug for TrackerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackerConfig")
            .field("url", &self.url)
            .field("project_id", &self.project_id)
            .field("user_external_id", &self.user_external_id)
            .field("order_id", &self.order_id)
            .field("until_final", &self.until_final)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

/// Where to connect and what to ask for, made once from a [`TrackerConfig`].
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) secure: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the `Host` header names it.
    pub(crate) authority: Authority,
    /// `ws` URL; TLS, if any, is laid underneath, so it never says `wss`.
    pub(crate) websocket: Uri,
    /// Path of `GET order`, if an order is tracked.
    pub(crate) order: Option<(OrderId, Uri)>,
    /// Value of the `Authorization` header, marked as sensitive.
    pub(crate) bearer: HeaderValue,
    pub(crate) encoding: Encoding,
}

impl Endpoints {
    pub(crate) fn parse(config: &TrackerConfig) -> Result<Self, ConfigError> {
        let bad = |fault| ConfigError::Url {
            url: config.url.clone(),
            fault,
        };
        let base: Uri = config.url.parse().map_err(|_| bad("is not a URL"))?;
        let secure = match base.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP || scheme.as_str() == "ws" => false,
            Some(scheme) if *scheme == Scheme::HTTPS || scheme.as_str() == "wss" => true,
            Some(_) | None => return Err(bad("does not begin with http:// or https://")),
        };
        let authority = base.authority().ok_or_else(|| bad("has no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(bad("holds a user name, which nothing would use"));
        }
        if base.query().is_some() {
            return Err(bad("has a query, which a base cannot have"));
        }
        if authority.host().is_empty() {
            return Err(bad("has no host"));
        }
        let after_host = authority
            .as_str()
            .get(authority.host().len()..)
            .unwrap_or_default();
        if authority.port_u16().is_none() && !after_host.is_empty() {
            return Err(bad("has a port that is not a number up to 65535"));
        }
        let prefix = base.path().trim_end_matches('/');
        let at = |scheme: &str, path: &str| {
            format!("{scheme}{prefix}{path}")
                .parse::<Uri>()
                .map_err(|_| bad("is not a URL"))
        };

        if config.auth.is_empty() || !config.auth.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::Token);
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", config.auth))
            .map_err(|_| ConfigError::Token)?;
        bearer.set_sensitive(true);

        if config.until_final && config.order_id.is_none() {
            return Err(ConfigError::NoOrder);
        }
        let order = match config.order_id {
            Some(id) => {
                let path = format!("/api/v2/project/{}/order/{id}", config.project_id);
                Some((id, at("", &path)?))
            }
            None => None,
        };
        Ok(Self {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority
                .port_u16()
                .unwrap_or(if secure { 443 } else { 80 }),
            websocket: at(&format!("ws://{authority}"), "/connection/websocket")?,
            order,
            authority,
            bearer,
            encoding: config.encoding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Endpoints, ConfigError> {
        let mut config = TrackerConfig::new(url, ProjectId::new(5).unwrap(), "token");
        config.order_id = Some(OrderId::new(7).unwrap());
        Endpoints::parse(&config)
    }

    fn check(url: &str, secure: bool, host: &str, port: u16, websocket: &str, order: &str) {
        let endpoints = parse(url).unwrap();
        assert_eq!(endpoints.secure, secure);
        assert_eq!((endpoints.host.as_str(), endpoints.port), (host, port));
        assert_eq!(endpoints.websocket.to_string(), websocket);
        assert_eq!(endpoints.order.unwrap().1.to_string(), order);
    }

    #[test]
    fn base_urls_lead_to_both_endpoints() {
        let order = "/api/v2/project/5/order/7";
        let websocket = "ws://127.0.0.1:8080/connection/websocket";
        check(
            "http://127.0.0.1:8080",
            false,
            "127.0.0.1",
            8080,
            websocket,
            order,
        );
        check(
            "ws://127.0.0.1:8080/",
            false,
            "127.0.0.1",
            8080,
            websocket,
            order,
        );
        let websocket = "ws://[::1]:81/connection/websocket";
        check("http://[::1]:81", false, "::1", 81, websocket, order);
        let websocket = "ws://shop.example/orders/connection/websocket";
        let order = "/orders/api/v2/project/5/order/7";
        check(
            "https://shop.example/orders/",
            true,
            "shop.example",
            443,
            websocket,
            order,
        );
    }

    #[test]
    fn refuses_what_is_not_a_base() {
        for url in [
            "",
            "127.0.0.1:8080",
            "/path",
            "ftp://host",
            "http://",
            "http://user:secret@host",
            "http://host?x=1",
            "http://ho st",
            "http://host:99999",
            "http://host:",
        ] {
            assert!(matches!(parse(url), Err(ConfigError::Url { .. })), "{url}");
        }
    }

    #[test]
    fn refuses_tokens_that_no_header_can_carry() {
        let project_id = ProjectId::new(5).unwrap();
        for token in ["", "two words", "line\nbreak", "ключ"] {
            let config = TrackerConfig::new("http://host", project_id, token);
            assert_eq!(Endpoints::parse(&config).err(), Some(ConfigError::Token));
        }
    }

    #[test]
    fn debug_leaves_out_the_token() {
        let config = TrackerConfig::new("http://host", ProjectId::new(5).unwrap(), "geheim");
        assert!(!format!("{config:?}").contains("geheim"));
    }
}
