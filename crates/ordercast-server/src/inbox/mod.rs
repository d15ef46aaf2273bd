//! Provider webhooks before they are stored: who sent them is proved, and they become events. Some
//! providers do not sign, or sign with a certificate: then they, or their payments, are asked for.
//!
//! `ask` speaks to providers' APIs; `paypal` knows certificates. What comes of events is the store's.

pub mod ask;
pub mod paypal;

use crate::{clock, delivery::sending::Sending};
use ask::AskError;
use ipnet::IpNet;
use ordercast_core::{
    ids::AttemptId,
    provider::{self, Event, Provider, Request, mollie_payment},
};
use ordercast_store::Source;
use paypal::Certificates;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Questions at once that requests make us ask, signed or not.
const ASKING_MAX: usize = 16;

#[derive(Debug)]
pub struct Inbox {
    sending: Arc<Sending>,
    certificates: Certificates,
    asking: Semaphore,
    /// Whose word on where a request comes from is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Why a request became no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It is not proved who sent it.
    Unverified,
    /// The provider has no such payment: nothing is to be kept.
    NoSuchPayment,
    /// The provider could not be asked now; it sends again.
    Later,
}

impl From<AskError> for Unopened {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NotFound => Self::NoSuchPayment,
            AskError::Unavailable => Self::Later,
        }
    }
}

/// A proved request.
#[derive(Debug)]
pub struct Opened {
    /// What is stored: the request's body, or the payment that was asked for.
    pub body: Vec<u8>,
    /// `Err`: why it could not be read.
    pub events: Result<Vec<Event>, String>,
}

impl Inbox {
    pub fn new(sending: Arc<Sending>, trusted_proxies: Vec<IpNet>) -> Self {
        Self {
            trusted_proxies,
            certificates: Certificates::new(sending.roots.clone()),
            sending,
            asking: Semaphore::new(ASKING_MAX),
        }
    }

    /// # Errors
    /// [`Unopened`].
    pub async fn open(&self, source: &Source, request: Request<'_>) -> Result<Opened, Unopened> {
        match source.provider {
            Provider::Mollie => return self.ask_mollie(source, request.body).await,
            Provider::Paypal => self.verify_paypal(source, request).await?,
            _ => {
                let now = clock::now();
                provider::verify(source.provider, request, &source.secrets(now), now)
                    .map_err(|_| Unopened::Unverified)?;
            }
        }
        let hash = data_encoding::HEXLOWER.encode(&crate::auth::sha256(request.body));
        let events = provider::read(
            source.provider,
            request,
            source.project,
            &source.settings,
            &hash,
        );
        Ok(Opened {
            body: request.body.to_vec(),
            events: events.map_err(|error| error.to_string()),
        })
    }

    /// The body says only which payment: what it is worth is what Mollie says of it.
    async fn ask_mollie(&self, source: &Source, body: &[u8]) -> Result<Opened, Unopened> {
        let id = url::form_urlencoded::parse(body)
            .find(|(name, _)| name == "id")
            .map(|(_, id)| id.into_owned())
            .filter(|id| ask::is_plain(id, "tr_"))
            .ok_or(Unopened::NoSuchPayment)?;
        let id = AttemptId::new(&id).map_err(|_| Unopened::NoSuchPayment)?;
        let _permit = self.asking.try_acquire().map_err(|_| Unopened::Later)?;
        let body = ask::mollie_payment(&self.sending, source, &id).await?;
        let events = mollie_payment(&body, &source.settings).map_err(|error| error.to_string());
        Ok(Opened { body, events })
    }

    async fn verify_paypal(&self, source: &Source, request: Request<'_>) -> Result<(), Unopened> {
        let webhook = source.settings.webhook_id.as_deref().unwrap_or_default();
        let transmission =
            provider::paypal_transmission(request, webhook).map_err(|_| Unopened::Unverified)?;
        let api_url = source.settings.api_url.as_deref();
        self.certificates
            .verify((&self.sending, &self.asking), &transmission, api_url)
            .await
    }
}
