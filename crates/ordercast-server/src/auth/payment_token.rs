//! Payment tokens: 32 opaque characters that stand for one order.
//!
//! The first 8 bytes are the order's internal key, so that no index over random values is needed in
//! the hot transaction; the other 16 are secret, and only their hash is stored. Tokens that were made
//! later have their own number there instead, negated.

use super::sha256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ordercast_core::ids::TokenId;
use std::fmt;

const SECRET_BYTES: usize = 16;

#[derive(Clone, PartialEq, Eq)]
pub struct PaymentToken {
    order_key: i64,
    secret: [u8; SECRET_BYTES],
}

impl fmt::Debug for PaymentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentToken(..)")
    }
}

impl PaymentToken {
    #[must_use]
    pub const fn new(order_key: i64, secret: [u8; SECRET_BYTES]) -> Self {
        Self { order_key, secret }
    }

    /// One of the further tokens of an order.
    #[must_use]
    pub fn issued(id: TokenId, secret: [u8; SECRET_BYTES]) -> Self {
        Self::new(-i64::from(id.get()), secret)
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 8 + SECRET_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (key, secret) = bytes.split_at(8);
        Some(Self {
            order_key: i64::from_be_bytes(key.try_into().ok()?),
            secret: secret.try_into().ok()?,
        })
    }

    #[must_use]
    pub const fn order_key(&self) -> i64 {
        self.order_key
    }

    /// `None`: the token that its order was made with.
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        TokenId::new(self.order_key.checked_neg()?).ok()
    }

    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.secret)
    }

    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 8 + SECRET_BYTES];
        let (key, secret) = bytes.split_at_mut(8);
        key.copy_from_slice(&self.order_key.to_be_bytes());
        secret.copy_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_32_characters_and_comes_back() {
        let token = PaymentToken::new(1_000_001, [7; SECRET_BYTES]);
        let text = token.encode();
        assert_eq!(text.len(), 32);
        assert!(!text.contains('.'), "a dot would make it look like a JWT");
        assert_eq!(PaymentToken::parse(&text), Some(token));
        for bad in [
            "",
            "short",
            &format!("{text}A"),
            &text.replace(&text[..1], "*"),
        ] {
            assert_eq!(PaymentToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn further_tokens_are_told_from_the_first() {
        let id = TokenId::new(1_000_001).expect("id");
        let token = PaymentToken::issued(id, [7; SECRET_BYTES]);
        let parsed = PaymentToken::parse(&token.encode()).expect("token");
        assert_eq!(parsed.token_id(), Some(id));
        for first in [1_000_001, i64::MAX, 0, i64::MIN] {
            assert_eq!(PaymentToken::new(first, [7; SECRET_BYTES]).token_id(), None);
        }
    }
}
