//! Link tokens: what stands in an address that a shop gives a buyer to look at one order.
//!
//! A prefix says what it is, to people and to scanners for leaked secrets; behind it the same form as a
//! payment token's.

use super::PaymentToken;
use ordercast_core::ids::TokenId;
use std::fmt;

pub const LINK_PREFIX: &str = "oc_link_";

#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken(PaymentToken);

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

impl LinkToken {
    #[must_use]
    pub fn new(id: TokenId, secret: [u8; 16]) -> Self {
        Self(PaymentToken::issued(id, secret))
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let token = PaymentToken::parse(text.strip_prefix(LINK_PREFIX)?)?;
        token.token_id().is_some().then_some(Self(token))
    }

    #[must_use]
    pub fn id(&self) -> Option<TokenId> {
        self.0.token_id()
    }

    /// What is kept of a token before it has its number.
    #[must_use]
    pub fn hash_of(secret: [u8; 16]) -> [u8; 32] {
        PaymentToken::new(0, secret).hash()
    }

    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.0.hash()
    }

    #[must_use]
    pub fn encode(&self) -> String {
        format!("{LINK_PREFIX}{}", self.0.encode())
    }
}
