//! Identifiers, parsed once at the edge into types that cannot be wrong inside.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, sync::Arc};
use thiserror::Error;

/// Why an identifier was refused; says what is allowed, never what was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    #[error("{what} must be an integer from 1 to 2147483647")]
    Range { what: &'static str },
    #[error("{what} must be 1 to {max} bytes of text without control characters")]
    Text { what: &'static str, max: usize },
    #[error("{what} must be 1 to {max} characters of A-Z, a-z, 0-9, '-', '_', '.' or ':'")]
    Slug { what: &'static str, max: usize },
    #[error("{what} must not begin with \"{prefix}\": the server names its own so")]
    Reserved {
        what: &'static str,
        prefix: &'static str,
    },
}

/// SDKs in the field read ids and offsets as 32-bit signed integers (realtime contract, A3).
pub const INT_MAX: u32 = i32::MAX as u32;

macro_rules! int_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// # Errors
            /// [`Invalid::Range`] outside 1..=2^31-1.
            pub fn new(value: i64) -> Result<Self, Invalid> {
                match u32::try_from(value) {
                    Ok(v) if (1..=INT_MAX).contains(&v) => Ok(Self(v)),
                    _ => Err(Invalid::Range { what: $what }),
                }
            }

            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(s: &str) -> Result<Self, Invalid> {
                // `parse` accepts a leading '+' and zeros; an id has one spelling.
                match s.parse::<i64>() {
                    Ok(v) if v.to_string() == s => Self::new(v),
                    _ => Err(Invalid::Range { what: $what }),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(i64::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

int_id!(
    /// A shop's project.
    ProjectId,
    "project id"
);
int_id!(
    /// The public number of an order, unique within its project.
    OrderId,
    "order id"
);
int_id!(
    /// An API key or a key of user JWTs.
    CredentialId,
    "credential id"
);
int_id!(
    /// A payment token or a link that was made for an order.
    TokenId,
    "token id"
);
int_id!(
    /// Where a project's events are sent to.
    EndpointId,
    "endpoint id"
);
int_id!(
    /// One of the secrets of an endpoint.
    SecretId,
    "secret id"
);
int_id!(
    /// Counts the changes of one order from 1 without gaps.
    Version,
    "version"
);

impl Version {
    pub const FIRST: Self = Self(1);

    /// # Panics
    /// After 2^31-1 changes of one order: an invariant, not an input.
    #[must_use]
    pub fn next(self) -> Self {
        assert!(self.0 < INT_MAX, "order version exhausted");
        Self(self.0 + 1)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $variant:ident, $ok:expr $(, not $reserved:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub const BYTES_MAX: usize = $max;

            /// # Errors
            #[doc = concat!("[`Invalid`] unless 1 to ", $max, " bytes of the allowed characters.")]
            pub fn new(text: &str) -> Result<Self, Invalid> {
                $(if text.starts_with($reserved) {
                    return Err(Invalid::Reserved { what: $what, prefix: $reserved });
                })?
                Self::known(text)
            }

            /// Also a name that this server has given: for what is read back, not for what is told.
            ///
            /// # Errors
            #[doc = concat!("[`Invalid`] unless 1 to ", $max, " bytes of the allowed characters.")]
            pub fn known(text: &str) -> Result<Self, Invalid> {
                let allowed: fn(char) -> bool = $ok;
                if (1..=$max).contains(&text.len()) && text.chars().all(allowed) {
                    Ok(Self(text.into()))
                } else {
                    Err(Invalid::$variant { what: $what, max: $max })
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(s: &str) -> Result<Self, Invalid> {
                Self::new(s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::known(&String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn slug(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

text_id!(
    /// The shop's own id of a buyer (`user_external_id`); opaque to us.
    UserId, "user id", 200, Text, |c| !c.is_control()
);
text_id!(
    /// A catalogue item.
    Sku, "sku", 100, Slug, slug
);
text_id!(
    /// A buyer's cart; unique among the carts of one user.
    CartId, "cart id", 100, Slug, slug
);
text_id!(
    /// A configured sender of provider webhooks, the last segment of `/v1/inbox/{source}`.
    SourceId, "source", 64, Slug, slug
);
text_id!(
    /// A provider's own name of one payment attempt, for example a transaction or invoice id.
    AttemptId, "attempt id", 100, Text, |c| !c.is_control(), not MANUAL
);

/// How the attempts begin that stand for the shop's own word.
const MANUAL: &str = "manual:";

impl AttemptId {
    /// Of an order that the shop marks as paid, in this version.
    #[must_use]
    pub fn manual(version: Version) -> Self {
        Self(format!("{MANUAL}{version}").into())
    }

    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.0.starts_with(MANUAL)
    }
}

text_id!(
    /// One part of a payment that was taken, as its provider names it.
    CaptureId, "capture id", 100, Text, |c| !c.is_control()
);

text_id!(
    /// One dispute of a payment, as its provider names it.
    DisputeId, "dispute id", 100, Text, |c| !c.is_control()
);

text_id!(
    /// One refund of a payment, as its provider or the shop names it.
    RefundId, "refund id", 100, Text, |c| !c.is_control()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_spelling_and_a_range() {
        for good in ["1", "689810880", "2147483647"] {
            assert!(good.parse::<OrderId>().is_ok(), "{good}");
        }
        for bad in ["0", "-1", "2147483648", "+1", "01", "1.0", "", " 1"] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_ids_are_bounded() {
        assert!(UserId::new("ünï@例").is_ok());
        assert!(UserId::new(&"x".repeat(200)).is_ok());
        for bad in ["", "a\nb", &"x".repeat(201)] {
            assert!(UserId::new(bad).is_err());
        }
        assert!(Sku::new("sword_1.v2").is_ok());
        assert!(Sku::new("a/b").is_err());
    }
}
