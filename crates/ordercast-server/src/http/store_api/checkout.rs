//! The parts that bodies of purchases share (store contract, 2.3): parsed into types that cannot be
//! wrong, each error names its field. What SDKs send beside them is accepted and has no effect.

use super::{error::ApiError, object::Object};
use ordercast_core::{
    money::Currency,
    order::{
        Checkout, Contact, Country, CustomParameters, Email, ExternalId, ManualRedirection, Mode,
        PaymentSettings, RedirectConditions, RedirectPolicy, ReturnUrl, ShortText, Ui,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt::Display;
use utoipa::ToSchema;

/// How the payment page behaves and where it leads
///
/// An empty text is as none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = PurchaseSettings)]
pub struct SettingsBody {
    /// At most 8 KiB.
    pub ui: Option<Object>,
    #[schema(minimum = 1, maximum = 4_294_967_295_u32)]
    pub payment_method: Option<u32>,
    /// http or https, or of an app.
    #[schema(
        max_length = 1_000,
        pattern = r"^([A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f-\x9f]+)?$",
        example = "https://shop.example/thanks"
    )]
    pub return_url: Option<String>,
    pub redirect_policy: Option<RedirectPolicyBody>,
    /// The shop's own number of the order.
    #[schema(
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "A-1042"
    )]
    pub external_id: Option<String>,
    /// Of admin tokens and sessions.
    #[schema(pattern = "^([A-Z]{3})?$", example = "USD")]
    pub currency: Option<String>,
    #[schema(
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "de"
    )]
    pub language: Option<String>,
    pub sandbox: Option<bool>,
}

/// When and how the buyer is sent on
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = PurchaseRedirectPolicy)]
pub struct RedirectPolicyBody {
    #[schema(
        pattern = "^(none|successful|successful_or_canceled|any)?$",
        example = "any"
    )]
    redirect_conditions: Option<String>,
    /// Seconds.
    #[schema(maximum = 4_294_967_295_u32)]
    delay: Option<u32>,
    #[schema(
        pattern = "^(none|vc|successful|successful_or_canceled|any)?$",
        example = "any"
    )]
    status_for_manual_redirection: Option<String>,
    #[schema(
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "Back to the game"
    )]
    redirect_button_caption: Option<String>,
}

/// A client's engine sends empty strings for what is not set.
pub fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

pub const fn mode(sandbox: Option<bool>) -> Mode {
    match sandbox {
        Some(true) => Mode::Sandbox,
        Some(false) | None => Mode::Default,
    }
}

pub fn currency(field: &str, code: Option<String>) -> Result<Option<Currency>, ApiError> {
    given(code)
        .map(|code| Currency::new(&code).map_err(|rule| ApiError::invalid(field, rule)))
        .transpose()
}

pub fn contact(
    email: Option<String>,
    country: Option<String>,
    field: &str,
) -> Result<Contact, ApiError> {
    Ok(Contact {
        email: parse(&format!("{field}email"), email, Email::new)?,
        country: parse(&format!("{field}country"), country, Country::new)?,
    })
}

/// `locale` is the page's language where the settings have none.
pub fn checkout(
    settings: Option<SettingsBody>,
    custom_parameters: Option<Object>,
    locale: Option<String>,
    contact: Contact,
) -> Result<Checkout, ApiError> {
    let settings = settings.unwrap_or_default();
    let custom_parameters = custom_parameters
        .map(|members| {
            CustomParameters::new(&members.0)
                .map_err(|rule| ApiError::invalid("custom_parameters", rule))
        })
        .transpose()?;
    if settings.payment_method == Some(0) {
        return Err(ApiError::invalid(
            "settings.payment_method",
            "must be 1 or more",
        ));
    }
    let locale = given(settings.language).or(locale);
    Ok(Checkout {
        external_id: parse(
            "settings.external_id",
            settings.external_id,
            ExternalId::new,
        )?,
        custom_parameters,
        contact,
        settings: PaymentSettings {
            locale: parse("locale", locale, ShortText::new)?,
            payment_method: settings.payment_method,
            return_url: parse("settings.return_url", settings.return_url, ReturnUrl::new)?,
            redirect_policy: settings.redirect_policy.map(redirect_policy).transpose()?,
            ui: settings
                .ui
                .filter(|ui| !ui.0.is_empty())
                .map(|ui| Ui::new(&ui.0).map_err(|rule| ApiError::invalid("settings.ui", rule)))
                .transpose()?,
        },
    })
}

fn redirect_policy(body: RedirectPolicyBody) -> Result<RedirectPolicy, ApiError> {
    let field = |name: &str| format!("settings.redirect_policy.{name}");
    Ok(RedirectPolicy {
        redirect_conditions: one_of::<RedirectConditions>(
            &field("redirect_conditions"),
            body.redirect_conditions,
            "must be none, successful, successful_or_canceled or any",
        )?,
        delay: body.delay,
        status_for_manual_redirection: one_of::<ManualRedirection>(
            &field("status_for_manual_redirection"),
            body.status_for_manual_redirection,
            "must be none, vc, successful, successful_or_canceled or any",
        )?,
        redirect_button_caption: parse(
            &field("redirect_button_caption"),
            body.redirect_button_caption,
            ShortText::new,
        )?,
    })
}

fn parse<T, E: Display>(
    field: &str,
    text: Option<String>,
    new: impl Fn(String) -> Result<T, E>,
) -> Result<Option<T>, ApiError> {
    given(text)
        .map(|text| new(text).map_err(|rule| ApiError::invalid(field, rule)))
        .transpose()
}

fn one_of<T: DeserializeOwned>(
    field: &str,
    word: Option<String>,
    rule: &str,
) -> Result<Option<T>, ApiError> {
    given(word)
        .map(|word| {
            serde_json::from_value(Value::String(word)).map_err(|_| ApiError::invalid(field, rule))
        })
        .transpose()
}
