//! What was said at the checkout, beside what is bought: kept with the order and handed on as it was
//! given. Nothing here decides about the order.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, value::RawValue};
use thiserror::Error;

/// Limits of the store contract, 2.3; sizes are ours, because every read of an order reads them.
pub const CUSTOM_PARAMETERS: std::ops::RangeInclusive<usize> = 1..=200;
pub const CUSTOM_PARAMETERS_BYTES_MAX: usize = 16 * 1024;
pub const UI_BYTES_MAX: usize = 8 * 1024;
pub const RETURN_URL_CHARS_MAX: usize = 1_000;
pub const EXTERNAL_ID_CHARS_MAX: usize = 255;
/// Of an address, a country, a caption and the like, together.
const CONTACT_BYTES_MAX: usize = 1_024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checkout {
    /// The shop's own number of the order or transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_parameters: Option<CustomParameters>,
    #[serde(default, skip_serializing_if = "Contact::is_empty")]
    pub contact: Contact,
    #[serde(default, skip_serializing_if = "PaymentSettings::is_empty")]
    pub settings: PaymentSettings,
}

impl Checkout {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// About what it takes in memory beyond its own size: its longest texts.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let raw = |object: Option<&RawObject>| object.map_or(0, |object| object.text().len());
        let url = self.settings.return_url.as_ref();
        raw(self.custom_parameters.as_ref().map(|given| &given.0))
            + raw(self.settings.ui.as_ref().map(|ui| &ui.0))
            + url.map_or(0, |url| url.as_str().len())
            + CONTACT_BYTES_MAX
    }
}

/// Which rule a field of the checkout breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidCheckout {
    #[error("must be 1 to {EXTERNAL_ID_CHARS_MAX} characters without control characters")]
    ExternalId,
    #[error("must have 1 to 200 members and at most {CUSTOM_PARAMETERS_BYTES_MAX} bytes")]
    CustomParameters,
    #[error("must be an http or https address, or one of an app, of at most 1000 characters")]
    ReturnUrl,
    #[error("must have at most {UI_BYTES_MAX} bytes")]
    Ui,
    #[error("must be 1 to 255 characters without control characters")]
    ShortText,
    #[error("must be an email address of 3 to 255 characters")]
    Email,
    #[error("must be two letters A-Z (ISO 3166-1)")]
    Country,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $error:expr, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// [`InvalidCheckout`] naming the rule.
            pub fn new(text: String) -> Result<Self, InvalidCheckout> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&text) { Ok(Self(text)) } else { Err($error) }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

checked_text!(ExternalId, InvalidCheckout::ExternalId, |text| {
    !text.is_empty()
        && text.chars().count() <= EXTERNAL_ID_CHARS_MAX
        && !text.chars().any(char::is_control)
});

checked_text!(
    /// A caption or a language.
    ShortText,
    InvalidCheckout::ShortText,
    |text| {
        !text.is_empty() && text.chars().count() <= 255 && !text.chars().any(char::is_control)
    }
);

checked_text!(
    /// Where the buyer goes after paying. Apps have schemes of their own, so the refused ones are
    /// named: those that run or show what they carry.
    ReturnUrl,
    InvalidCheckout::ReturnUrl,
    |text| {
        let is_visible = |c: char| !c.is_control() && !c.is_whitespace();
        let Some((scheme, rest)) = text.split_once(':') else {
            return false;
        };
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let is_active = ["javascript", "data", "vbscript", "blob", "file"]
            .iter()
            .any(|active| scheme.eq_ignore_ascii_case(active));
        is_scheme
            && !is_active
            && rest.starts_with("//")
            && rest.len() > 2
            && text.chars().count() <= RETURN_URL_CHARS_MAX
            && text.chars().all(is_visible)
    }
);

checked_text!(Email, InvalidCheckout::Email, |text| {
    let parts = text.split_once('@');
    (3..=255).contains(&text.chars().count())
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
});

checked_text!(Country, InvalidCheckout::Country, |text| {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
});

/// An object whose members mean nothing here. Kept as the text that it is stored and handed on as:
/// parsed, the same takes up to sixteen times the memory.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
struct RawObject(Box<RawValue>);

impl RawObject {
    /// `None`: it cannot be written, which no map of JSON values is.
    fn new(members: &Map<String, Value>) -> Option<Self> {
        serde_json::value::to_raw_value(members).ok().map(Self)
    }

    fn text(&self) -> &str {
        self.0.get()
    }

    fn members(&self) -> Map<String, Value> {
        // It was one when it was made.
        serde_json::from_str(self.text()).unwrap_or_default()
    }
}

impl PartialEq for RawObject {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for RawObject {}

/// A flat or nested object of the shop's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CustomParameters(RawObject);

impl CustomParameters {
    /// # Errors
    /// [`InvalidCheckout::CustomParameters`].
    pub fn new(members: &Map<String, Value>) -> Result<Self, InvalidCheckout> {
        RawObject::new(members)
            .filter(|raw| {
                CUSTOM_PARAMETERS.contains(&members.len())
                    && raw.text().len() <= CUSTOM_PARAMETERS_BYTES_MAX
            })
            .map(Self)
            .ok_or(InvalidCheckout::CustomParameters)
    }

    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        self.0.members()
    }
}

impl<'de> Deserialize<'de> for CustomParameters {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(&Map::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// What is known of the buyer beside the id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contact {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

impl Contact {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.email.is_none() && self.country.is_none()
    }
}

/// How the payment page behaves and where it leads. For whoever shows the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentSettings {
    /// The page's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<ShortText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<ReturnUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_policy: Option<RedirectPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui: Option<Ui>,
}

impl PaymentSettings {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The page's looks, of a shape that only the page knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Ui(RawObject);

impl Ui {
    /// # Errors
    /// [`InvalidCheckout::Ui`].
    pub fn new(members: &Map<String, Value>) -> Result<Self, InvalidCheckout> {
        RawObject::new(members)
            .filter(|raw| raw.text().len() <= UI_BYTES_MAX)
            .map(Self)
            .ok_or(InvalidCheckout::Ui)
    }
}

impl<'de> Deserialize<'de> for Ui {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(&Map::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedirectPolicy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_conditions: Option<RedirectConditions>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_for_manual_redirection: Option<ManualRedirection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_button_caption: Option<ShortText>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RedirectConditions {
    None,
    Successful,
    SuccessfulOrCanceled,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ManualRedirection {
    None,
    Vc,
    Successful,
    SuccessfulOrCanceled,
    Any,
}
