//! Provider webhooks before they are stored: who sent them is proved, and they become events. Some
//! providers do not sign, or sign with a certificate, or tell of an object without sending it: then they
//! are asked.
//!
//! `ask` speaks to providers' APIs; `paypal` knows certificates; `refused` is what the operator sees of
//! webhooks that are turned away. What comes of events is the store's.

pub mod ask;
pub mod paypal;
pub mod refused;

use crate::{auth, clock};
use ask::{AskError, Asker};
use ordercast_core::provider::{
    self, Event, EventError, Provider, Reading, Request, Subject, Thin,
};
use ordercast_store::{Source, Transmission};
use paypal::Certificates;
use refused::{Refusal, Refusals};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Questions at once that requests make us ask, signed or not.
const ASKING_MAX: usize = 16;

#[derive(Debug)]
pub struct Inbox {
    pub asker: Arc<Asker>,
    certificates: Certificates,
    asking: Semaphore,
    pub refusals: Refusals,
}

/// Why a request became no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It is not proved who sent it.
    Refused(Refusal),
    /// An unsigned request about something that the provider knows nothing of: nothing is to be kept.
    NoSuchObject,
    /// The provider could not be asked now; it sends again.
    Later(String),
}

impl Unopened {
    fn busy() -> Self {
        Self::Later("too many questions at once".to_owned())
    }
}

/// A proved request: bodies to be stored, each with what was read from it. More than one where what was
/// asked for had several.
#[derive(Debug)]
pub struct Opened {
    pub documents: Vec<Document>,
    /// Where the signature covers no more than a checksum of the body.
    pub transmission: Option<Transmission>,
}

impl Opened {
    fn of(documents: Vec<Document>) -> Self {
        Self {
            documents,
            transmission: None,
        }
    }
}

/// A body for the inbox: the request's, or what was asked for.
#[derive(Debug)]
pub struct Document {
    pub body: Vec<u8>,
    /// `Err`: why it could not be read.
    pub events: Result<Vec<Event>, String>,
}

impl Inbox {
    pub fn new(asker: Arc<Asker>) -> Self {
        Self {
            certificates: Certificates::new(asker.sending().roots.clone()),
            asker,
            asking: Semaphore::new(ASKING_MAX),
            refusals: Refusals::default(),
        }
    }

    /// # Errors
    /// [`Unopened`].
    pub async fn open(&self, source: &Source, request: Request<'_>) -> Result<Opened, Unopened> {
        let transmission = match source.provider {
            Provider::Mollie => None,
            Provider::Paypal => Some(self.verify_paypal(source, request).await?),
            provider => {
                let now = clock::now();
                provider::verify(provider, request, &source.secrets(now), now)
                    .map_err(|why| Unopened::Refused(why.into()))?;
                None
            }
        };
        if let Some(thin) = source.provider.thin(request.body) {
            return self.ask_for(source, request, thin).await;
        }
        if !source.provider.is_signed() {
            return Err(Unopened::NoSuchObject);
        }
        let hash = data_encoding::HEXLOWER.encode(&auth::sha256(request.body));
        let events = provider::read(
            source.provider,
            request,
            source.project,
            &source.settings,
            &hash,
        );
        let document = Document {
            body: request.body.to_vec(),
            events: events.map_err(|error| error.to_string()),
        };
        Ok(Opened {
            documents: vec![document],
            transmission,
        })
    }

    /// What happened is what the provider says of the object that the event names.
    async fn ask_for(
        &self,
        source: &Source,
        request: Request<'_>,
        thin: Thin,
    ) -> Result<Opened, Unopened> {
        let is_signed = source.provider.is_signed();
        let unread = |error: EventError| {
            Opened::of(vec![Document {
                body: request.body.to_vec(),
                events: Ok(vec![Event {
                    dedup_key: thin.dedup_key.clone(),
                    ..Event::new(thin.kind.clone(), Subject::Unreadable(error), None)
                }]),
            }])
        };
        if source.api_key.is_none() {
            return Ok(unread(EventError::Thin));
        }
        let permit = self.asking.try_acquire().map_err(|_| Unopened::busy())?;
        let answer = self.asker.ask_all(source, vec![thin.question]).await;
        drop(permit);
        match answer {
            Ok(readings) if readings.is_empty() && is_signed => Ok(unread(EventError::Gone)),
            Ok(readings) if readings.is_empty() => Err(Unopened::NoSuchObject),
            Ok(readings) => {
                let documents = readings.into_iter().map(Document::from);
                Ok(Opened::of(documents.collect()))
            }
            Err(AskError::NotFound) => Err(Unopened::NoSuchObject),
            Err(error) => Err(Unopened::Later(error.to_string())),
        }
    }

    async fn verify_paypal(
        &self,
        source: &Source,
        request: Request<'_>,
    ) -> Result<Transmission, Unopened> {
        let webhook = source.settings.webhook_id.as_deref().unwrap_or_default();
        let transmission = provider::paypal_transmission(request, webhook)
            .map_err(|why| Unopened::Refused(why.into()))?;
        let api_url = source.settings.api_url.as_deref();
        let sending = self.asker.sending();
        self.certificates
            .verify((sending, &self.asking), &transmission, api_url)
            .await?;
        transmission
            .check_fresh(clock::now())
            .map_err(|why| Unopened::Refused(why.into()))?;
        let id = request.header("paypal-transmission-id").unwrap_or_default();
        Ok(Transmission {
            // It is signed; it is no key of ours at any length.
            id: data_encoding::HEXLOWER.encode(&auth::sha256(id.as_bytes())),
            body_hash: auth::sha256(request.body),
        })
    }
}

impl From<Reading> for Document {
    fn from(reading: Reading) -> Self {
        Self {
            body: reading.body,
            events: Ok(reading.events),
        }
    }
}
