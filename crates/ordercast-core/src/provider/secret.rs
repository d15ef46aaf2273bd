//! What a source may have as its secret. One with which nothing could ever be verified is refused when it
//! is given, instead of every webhook that comes later.

use super::{Provider, adyen, paddle, razorpay, standard, stripe};
use thiserror::Error;

const BYTES: std::ops::RangeInclusive<usize> = 8..=500;

/// What a secret must be; completes the sentence "the secret ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SecretRule(pub &'static str);

/// Who thinks a secret up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// The provider, and shows it: one that we made could not be entered there.
    Provider,
    /// Whoever sets the webhook up: it is entered at the provider.
    Anybody,
    /// Its requests are proved in another way.
    Nobody,
}

impl Provider {
    #[must_use]
    pub const fn secret_origin(self) -> SecretOrigin {
        match self {
            Self::Stripe
            | Self::Adyen
            | Self::Paddle
            | Self::MollieNext
            | Self::CoinbaseCommerce
            | Self::CoinbaseBusiness
            | Self::Tebex => SecretOrigin::Provider,
            Self::Reference | Self::LemonSqueezy | Self::Razorpay | Self::Standard => {
                SecretOrigin::Anybody
            }
            Self::Paypal | Self::Mollie => SecretOrigin::Nobody,
        }
    }

    /// # Errors
    /// [`SecretRule`]: what it must be.
    pub fn check_secret(self, secret: &str) -> Result<(), SecretRule> {
        if !BYTES.contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretRule("must be 8 to 500 visible characters"));
        }
        match self {
            Self::Adyen => adyen::check_secret(secret),
            Self::Paddle => paddle::check_secret(secret),
            Self::Razorpay => razorpay::check_secret(secret),
            Self::Standard => standard::check_secret(secret),
            Self::Stripe => stripe::check_secret(secret),
            // Their signatures take the text as it is.
            Self::Reference
            | Self::LemonSqueezy
            | Self::MollieNext
            | Self::CoinbaseCommerce
            | Self::CoinbaseBusiness
            | Self::Tebex => Ok(()),
            Self::Paypal | Self::Mollie => Err(SecretRule("is not for this provider")),
        }
    }

    /// As answers show it: in the form that other verifiers of the same secret need.
    #[must_use]
    pub fn shown_secret(self, secret: &str) -> String {
        match self {
            Self::Standard => standard::shown_secret(secret),
            _ => secret.to_owned(),
        }
    }
}
