//! What an API key may do.

use std::{fmt, str::FromStr};
use thiserror::Error;

/// One thing that a shop's backend may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    OrdersRead,
    OrdersWrite,
    /// Payment tokens and links of orders.
    TokensWrite,
    CatalogueWrite,
    EventsRead,
    /// Endpoints of webhooks, and deliveries to them.
    WebhooksWrite,
    /// API keys and the keys of user JWTs. Who has it can make itself any buyer.
    KeysWrite,
}

/// A name that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must be \"*\" or some of orders:read, orders:write, tokens:write, catalogue:write, events:read, webhooks:write, keys:write"
)]
pub struct UnknownScope;

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::TokensWrite,
        Self::CatalogueWrite,
        Self::EventsRead,
        Self::WebhooksWrite,
        Self::KeysWrite,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrdersRead => "orders:read",
            Self::OrdersWrite => "orders:write",
            Self::TokensWrite => "tokens:write",
            Self::CatalogueWrite => "catalogue:write",
            Self::EventsRead => "events:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::KeysWrite => "keys:write",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

/// What one API key may do. Its text form, in the database too, is `*` or names between spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Also what later versions add.
    All,
    Some(ScopeSet),
}

/// At least one scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScopeSet(u32);

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Scopes::Some(*self).names()).finish()
    }
}

impl Scopes {
    /// # Errors
    /// [`UnknownScope`] for a name that is none, for none at all, and for `*` beside others.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownScope> {
        let names: Vec<_> = names.into_iter().collect();
        if names == ["*"] {
            return Ok(Self::All);
        }
        let mut bits = 0;
        for name in names {
            bits |= name.parse::<Scope>()?.bit();
        }
        if bits == 0 {
            return Err(UnknownScope);
        }
        Ok(Self::Some(ScopeSet(bits)))
    }

    #[must_use]
    pub const fn contain(self, scope: Scope) -> bool {
        match self {
            Self::All => true,
            Self::Some(set) => set.0 & scope.bit() != 0,
        }
    }

    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["*"],
            Self::Some(_) => Scope::ALL
                .into_iter()
                .filter(|scope| self.contain(*scope))
                .map(Scope::as_str)
                .collect(),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::parse(text.split(' ').filter(|name| !name.is_empty()))
    }
}
