//! Payment tokens: 32 opaque characters that stand for one order.
//!
//! The first 8 bytes are the order's project and number, so that no index over random values is needed in
//! the hot transaction, and nothing of other orders is told; the other 16 are secret, and only their hash
//! is stored. Tokens of earlier versions have the order's internal key there, and tokens that were made
//! later their own number, negated.

use super::sha256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ordercast_core::{OrderId, ProjectId, ids::TokenId};
use std::fmt;

const SECRET_BYTES: usize = 16;
/// Before a project and a number, of 31 bits each: far above all internal keys.
const OF_ORDER: i64 = 1 << 62;
const NUMBER_BITS: u32 = 31;
const NUMBER: i64 = (1 << NUMBER_BITS) - 1;

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

    /// The one that an order is made with.
    #[must_use]
    pub fn of_order(project: ProjectId, order: OrderId, secret: [u8; SECRET_BYTES]) -> Self {
        let (project, order) = (i64::from(project.get()), i64::from(order.get()));
        Self::new(OF_ORDER | project << NUMBER_BITS | order, secret)
    }

    /// Of a token that its order was made with; not of one of an earlier version.
    #[must_use]
    pub fn order(&self) -> Option<(ProjectId, OrderId)> {
        if self.order_key < OF_ORDER {
            return None;
        }
        let project = ProjectId::new(self.order_key >> NUMBER_BITS & NUMBER).ok()?;
        let order = OrderId::new(self.order_key & NUMBER).ok()?;
        Some((project, order))
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
    fn an_orders_own_token_names_it_and_nothing_else() {
        for (project, order) in [(1, 1), (7, 1_000_001), (2_147_483_647, 2_147_483_647)] {
            let named = (
                ProjectId::new(project).expect("id"),
                OrderId::new(order).expect("id"),
            );
            let token = PaymentToken::of_order(named.0, named.1, [7; SECRET_BYTES]);
            let parsed = PaymentToken::parse(&token.encode()).expect("token");
            assert_eq!((parsed.order(), parsed.token_id()), (Some(named), None));
        }
        for earlier in [1, 1_000_001, 1 << 40, 0, -1, i64::MIN] {
            assert_eq!(PaymentToken::new(earlier, [7; SECRET_BYTES]).order(), None);
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
