//! Tokens of payment sessions: they look like payment tokens and open nothing. Their first 8 bytes
//! count from the lowest number up, far below the keys of orders and of their tokens.

use super::PaymentToken;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionToken(PaymentToken);

impl SessionToken {
    /// `id`: 1 or more.
    #[must_use]
    pub const fn new(id: i64, secret: [u8; 16]) -> Self {
        Self(PaymentToken::new(i64::MIN.saturating_add(id), secret))
    }

    /// The session's number; `None`: the token is of no session.
    #[must_use]
    pub const fn id_of(token: &PaymentToken) -> Option<i64> {
        let key = token.order_key();
        if key < i64::MIN / 2 {
            Some(key.wrapping_sub(i64::MIN))
        } else {
            None
        }
    }

    #[must_use]
    pub fn encode(&self) -> String {
        self.0.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_sessions_from_orders() {
        let text = SessionToken::new(7, [1; 16]).encode();
        let token = PaymentToken::parse(&text).expect("token");
        assert_eq!(SessionToken::id_of(&token), Some(7));
        for other in [1, i64::MAX, 0, -1, -2_147_483_647] {
            let token = PaymentToken::new(other, [1; 16]);
            assert_eq!(SessionToken::id_of(&token), None);
        }
    }
}
