//! An amount as an event tells it. One that is told but cannot be read is an answer of its own: it is
//! never "nothing", and never "the whole".

use crate::money::Money;

/// Enough to recognise what was told; a bound because it is kept with the order.
const TOLD_BYTES_MAX: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Amount {
    #[default]
    NotTold,
    /// As it was told, cut to 100 bytes.
    Unreadable(String),
    Told(Money),
}

impl Amount {
    /// What stands in the body, for a person to look at.
    pub fn unreadable(told: &str) -> Self {
        let mut end = told.len().min(TOLD_BYTES_MAX);
        while !told.is_char_boundary(end) {
            end -= 1;
        }
        let readable = told[..end].chars().map(|c| match c {
            c if c.is_control() => ' ',
            c => c,
        });
        Self::Unreadable(readable.collect())
    }

    /// The money, if it can be read.
    pub const fn money(&self) -> Option<Money> {
        match self {
            Self::Told(money) => Some(*money),
            Self::NotTold | Self::Unreadable(_) => None,
        }
    }

    pub const fn is_told(&self) -> bool {
        !matches!(self, Self::NotTold)
    }

    /// In other units, for example where a provider counts other decimal places than ISO 4217.
    /// `None`: there is no such amount, so it cannot be read.
    #[must_use]
    pub fn and_then(self, convert: impl FnOnce(Money) -> Option<Money>) -> Self {
        match self {
            Self::Told(money) => {
                convert(money).map_or_else(|| Self::unreadable(&money.to_string()), Self::Told)
            }
            other => other,
        }
    }

    /// An amount of zero stands where nothing is told yet.
    #[must_use]
    pub fn unless_zero(self) -> Self {
        match self {
            Self::Told(money) if money.minor == 0 => Self::NotTold,
            other => other,
        }
    }

    /// The first of both that is told.
    #[must_use]
    pub fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.is_told() { self } else { other() }
    }
}
