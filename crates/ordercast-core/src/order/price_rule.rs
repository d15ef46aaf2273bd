//! When the payments of a source count as the price: shops give coupons and take taxes at the
//! provider's checkout, so that what is paid is not always what was asked for.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PriceRule {
    /// The price and no less.
    #[default]
    Exact,
    /// A part of the price is enough, for example where a coupon of at most 25 % may be used.
    AtLeast { percent: u8 },
    /// What the provider's own checkout asked for is the price, in whatever currency: for checkouts
    /// that only the shop can make.
    ProviderTotal,
}

impl PriceRule {
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact)
    }

    #[must_use]
    pub const fn is_valid(self) -> bool {
        match self {
            Self::Exact | Self::ProviderTotal => true,
            Self::AtLeast { percent } => percent >= 1 && percent <= 100,
        }
    }
}
