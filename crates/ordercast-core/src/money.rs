//! Money in integer minor units; decimal strings exist at the edge only.

use crate::currencies;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    #[error("currency must be an ISO 4217 code such as USD, in capitals")]
    Currency,
    #[error("amount must be a decimal number such as \"1.99\"")]
    Syntax,
    #[error("amount has more decimal places than {currency} has ({exponent})")]
    Precision { currency: Currency, exponent: u32 },
    #[error("amount must be from 0 to 10^15 minor units")]
    Range,
}

/// Far above any order, far below the overflow of a sum of many ledger entries.
pub const MINOR_MAX: i64 = 1_000_000_000_000_000;

/// An ISO 4217 alphabetic code, or one of the few others that providers count in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; CODE_BYTES_MAX]);

const CODE_BYTES_MAX: usize = 4;

impl Currency {
    /// # Errors
    /// [`MoneyError::Currency`] unless it is a code in use, in capitals.
    pub fn new(code: &str) -> Result<Self, MoneyError> {
        if currencies::exponent(code).is_some() {
            Self::known(code)
        } else {
            Err(MoneyError::Currency)
        }
    }

    /// Also a code that is no longer in use: for what is read back, not for what is told.
    fn known(code: &str) -> Result<Self, MoneyError> {
        let mut bytes = [0; CODE_BYTES_MAX];
        let is_code = (3..=CODE_BYTES_MAX).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_uppercase());
        if !is_code {
            return Err(MoneyError::Currency);
        }
        bytes[..code.len()].copy_from_slice(code.as_bytes());
        Ok(Self(bytes))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0);
        let code = &self.0[..end.unwrap_or(CODE_BYTES_MAX)];
        std::str::from_utf8(code).unwrap_or("XXX")
    }

    /// Decimal places of the minor unit; 2 for codes that are no longer in use.
    #[must_use]
    pub fn exponent(self) -> u32 {
        currencies::exponent(self.as_str()).unwrap_or(2)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

/// For what is told from outside: a code that is in use.
///
/// # Errors
/// When it is none.
pub fn currency_in_use<'de, D: Deserializer<'de>>(d: D) -> Result<Currency, D::Error> {
    Currency::new(&String::deserialize(d)?).map_err(serde::de::Error::custom)
}

/// Of what was stored, in whatever year.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::known(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// A non-negative amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units, 0..=10^15.
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    /// # Errors
    /// [`MoneyError::Range`] outside 0..=10^15.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if (0..=MINOR_MAX).contains(&minor) {
            Ok(Self { minor, currency })
        } else {
            Err(MoneyError::Range)
        }
    }

    /// Parses `1`, `1.99` or `1.9900`: surplus places must be zeros, so that nothing is rounded.
    ///
    /// # Errors
    /// [`MoneyError`] saying which rule the text breaks.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || text.len() > 40 {
            return Err(MoneyError::Syntax);
        }
        let exponent = currency.exponent() as usize;
        let (kept, surplus) = fraction.split_at(exponent.min(fraction.len()));
        if surplus.bytes().any(|b| b != b'0') {
            return Err(MoneyError::Precision {
                currency,
                exponent: currency.exponent(),
            });
        }
        let minor = format!("{whole}{kept:0<exponent$}")
            .parse()
            .map_err(|_| MoneyError::Range)?;
        Self::new(minor, currency)
    }

    /// `times` of it, for example a quantity.
    ///
    /// # Errors
    /// [`MoneyError::Range`] over the bound.
    pub fn times(self, times: u32) -> Result<Self, MoneyError> {
        let minor = self
            .minor
            .checked_mul(i64::from(times))
            .ok_or(MoneyError::Range)?;
        Self::new(minor, self.currency)
    }

    /// Of currencies with three decimal places some providers, Stripe among them, charge in steps of
    /// ten minor units only (Stripe, "Supported currencies", three-decimal currencies).
    #[must_use]
    pub fn is_in_coarse_steps(self) -> bool {
        self.currency.exponent() != 3 || self.minor % 10 == 0
    }

    /// `None`: it does not divide without a rest.
    #[must_use]
    pub fn divided_by(self, parts: u16) -> Option<Self> {
        let parts = i64::from(parts);
        if parts == 0 || self.minor % parts != 0 {
            return None;
        }
        Some(Self {
            minor: self.minor / parts,
            currency: self.currency,
        })
    }

    /// The decimal string of the amount alone, with the currency's full number of places.
    #[must_use]
    pub fn amount(self) -> String {
        decimal(self.minor, self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

fn decimal(minor: i64, currency: Currency) -> String {
    let exponent = currency.exponent() as usize;
    if exponent == 0 {
        return minor.to_string();
    }
    let digits = format!("{minor:0>width$}", width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str, code: &str) -> Result<i64, MoneyError> {
        Money::parse(text, Currency::new(code)?).map(|m| m.minor)
    }

    #[test]
    fn parses_what_providers_send() {
        assert_eq!(money("1.9900", "USD"), Ok(199));
        assert_eq!(money("1.9", "USD"), Ok(190));
        assert_eq!(money("0", "USD"), Ok(0));
        assert_eq!(money("500", "JPY"), Ok(500));
        assert_eq!(money("500.00", "JPY"), Ok(500));
        assert_eq!(money("1.234", "KWD"), Ok(1234));
    }

    #[test]
    fn refuses_what_would_be_rounded_or_wrong() {
        for bad in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,99", "0x1", "1.999", " 1",
        ] {
            assert!(money(bad, "USD").is_err(), "{bad}");
        }
        assert!(money("0.5", "JPY").is_err());
        assert_eq!(money("99999999999999999999", "USD"), Err(MoneyError::Range));
        assert!(money("1", "usd").is_err());
    }

    #[test]
    fn a_currency_is_one_that_is_in_use() {
        for good in ["USD", "XCG", "ZWG", "USDC"] {
            assert_eq!(
                Currency::new(good).map(|c| c.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in ["UDS", "usd", "US", "USDD", "", "XXX", "XTS", "US\0"] {
            assert_eq!(Currency::new(bad), Err(MoneyError::Currency), "{bad}");
        }
        assert_eq!(money("1.5", "USDC"), Ok(1_500_000));
        // What was stored when any three letters were taken is still read.
        let stored: Currency = serde_json::from_str("\"UDS\"").expect("reads");
        assert_eq!((stored.as_str(), stored.exponent()), ("UDS", 2));
    }

    proptest! {
        #[test]
        fn renders_and_parses_back(minor in 0..=MINOR_MAX, code in prop::sample::select(vec!["USD", "JPY", "KWD", "CLF"])) {
            let m = Money::new(minor, Currency::new(code).expect("code")).expect("range");
            prop_assert_eq!(Money::parse(&m.amount(), m.currency), Ok(m));
        }
    }
}
