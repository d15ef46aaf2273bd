//! What was handed over, for the whole order and item by item. Only the shop writes it.

use super::{Content, Facets};
use crate::ids::Sku;
use serde::{Deserialize, Serialize};

/// Of an order or of one of its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fulfilment {
    #[default]
    None,
    Granting,
    /// Of an order: some items are delivered.
    Partly,
    Delivered,
    Revoked,
}

/// What the shop may say of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FulfilmentStep {
    Granting,
    Delivered,
    Revoked,
}

impl FulfilmentStep {
    const fn state(self) -> Fulfilment {
        match self {
            Self::Granting => Fulfilment::Granting,
            Self::Delivered => Fulfilment::Delivered,
            Self::Revoked => Fulfilment::Revoked,
        }
    }

    const fn may_follow(self, from: Fulfilment) -> bool {
        match self {
            Self::Granting => matches!(from, Fulfilment::None),
            Self::Delivered => matches!(from, Fulfilment::None | Fulfilment::Granting),
            Self::Revoked => matches!(from, Fulfilment::Granting | Fulfilment::Delivered),
        }
    }
}

impl Facets {
    /// Of one item of the order.
    #[must_use]
    pub fn fulfilment_of(&self, sku: &Sku) -> Fulfilment {
        self.items.get(sku).copied().unwrap_or(self.fulfilment)
    }

    /// Moves `items`, or all that can take the step when it names none. `Err`: the first item that
    /// cannot.
    pub(super) fn fulfil(
        &mut self,
        content: &Content,
        items: &[Sku],
        step: FulfilmentStep,
    ) -> Result<(), Option<Sku>> {
        if content.items.is_empty() {
            if !step.may_follow(self.fulfilment) {
                return Err(None);
            }
            self.fulfilment = step.state();
            return Ok(());
        }
        let mut states: Vec<(Sku, Fulfilment)> = content
            .items
            .iter()
            .map(|item| (item.sku.clone(), self.fulfilment_of(&item.sku)))
            .collect();
        let mut moved = false;
        for (sku, state) in &mut states {
            let is_meant = items.is_empty() || items.contains(sku);
            if is_meant && step.may_follow(*state) {
                *state = step.state();
                moved = true;
            } else if is_meant && !items.is_empty() {
                return Err(Some(sku.clone()));
            }
        }
        if !moved {
            return Err(None);
        }
        self.summarise(states);
        Ok(())
    }

    fn summarise(&mut self, states: Vec<(Sku, Fulfilment)>) {
        let has = |state| states.iter().any(|(_, of)| *of == state);
        let alike = states.first().map(|(_, state)| *state);
        if let Some(state) = alike.filter(|state| states.iter().all(|(_, of)| of == state)) {
            self.fulfilment = state;
            self.items.clear();
            return;
        }
        self.fulfilment = if has(Fulfilment::Delivered) {
            Fulfilment::Partly
        } else if has(Fulfilment::Granting) {
            Fulfilment::Granting
        } else {
            Fulfilment::Revoked
        };
        self.items = states.into_iter().collect();
    }
}
