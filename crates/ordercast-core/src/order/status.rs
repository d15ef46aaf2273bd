//! The public words of an order's state and the legal ways between them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// As operators and the shop's backend see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    New,
    Paid,
    Done,
    Canceled,
    Expired,
}

/// As tracking clients see it: SDKs in the field break on any fifth word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrackingStatus {
    New,
    Paid,
    Done,
    Canceled,
}

impl Status {
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Paid,
        Self::Done,
        Self::Canceled,
        Self::Expired,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Paid => "paid",
            Self::Done => "done",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// `expired` shows as `new`: truthful, since a payment on its way still makes it `paid`.
    #[must_use]
    pub const fn tracking(self) -> TrackingStatus {
        match self {
            Self::New | Self::Expired => TrackingStatus::New,
            Self::Paid => TrackingStatus::Paid,
            Self::Done => TrackingStatus::Done,
            Self::Canceled => TrackingStatus::Canceled,
        }
    }

    /// The graph of the store contract, decision 2. A status may also stay as it is.
    #[must_use]
    pub const fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Self::New, Self::Paid | Self::Canceled | Self::Expired)
            | (Self::Paid, Self::Done | Self::Canceled)
            | (Self::Done, Self::Canceled)
            | (Self::Expired, Self::Paid | Self::Canceled)
            | (Self::New, Self::New)
            | (Self::Paid, Self::Paid)
            | (Self::Done, Self::Done)
            | (Self::Canceled, Self::Canceled)
            | (Self::Expired, Self::Expired) => true,
            (Self::New, Self::Done)
            | (Self::Paid, Self::New | Self::Expired)
            | (Self::Done, Self::New | Self::Paid | Self::Expired)
            | (Self::Canceled, Self::New | Self::Paid | Self::Done | Self::Expired)
            | (Self::Expired, Self::New | Self::Done) => false,
        }
    }
}

impl Status {
    /// Where a canceled order may be once its refund was reversed or its dispute won.
    #[must_use]
    pub const fn may_return_to(self, to: Self) -> bool {
        matches!(self, Self::Canceled) && !matches!(to, Self::Canceled)
    }
}

impl std::str::FromStr for Status {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == s)
            .ok_or(())
    }
}

impl TrackingStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Paid => "paid",
            Self::Done => "done",
            Self::Canceled => "canceled",
        }
    }

    /// Whether a client may stop listening.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Canceled)
    }
}

impl std::str::FromStr for TrackingStatus {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        match s.parse::<Status>()? {
            Status::Expired => Err(()),
            status => Ok(status.tracking()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TrackingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
