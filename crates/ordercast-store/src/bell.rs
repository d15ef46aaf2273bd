//! Rung by the writer after a commit, for whoever sends deliveries.

use ordercast_core::ids::EndpointId;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use tokio::sync::Notify;

/// What a sender should look at again.
#[derive(Debug, Default)]
pub struct Rung {
    /// Have something to send now. Bound: as many as there are endpoints.
    pub endpoints: BTreeSet<EndpointId>,
    /// Lanes of these are not what they were: what was read ahead of them no longer holds.
    pub stale: BTreeSet<EndpointId>,
    /// Endpoints are not what they were: all are read again.
    pub is_anew: bool,
}

impl Rung {
    fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.stale.is_empty() && !self.is_anew
    }
}

#[derive(Debug, Default)]
pub struct DeliveryBell {
    waiting: Mutex<Rung>,
    notify: Notify,
}

impl DeliveryBell {
    pub(crate) fn ring(&self, made: Rung) {
        if made.is_empty() {
            return;
        }
        {
            let mut waiting = self.waiting.lock();
            waiting.endpoints.extend(made.endpoints);
            waiting.stale.extend(made.stale);
            waiting.is_anew |= made.is_anew;
        }
        self.notify.notify_one();
    }

    /// Waits until there is something, and takes all of it.
    pub async fn rung(&self) -> Rung {
        loop {
            let rung = std::mem::take(&mut *self.waiting.lock());
            if !rung.is_empty() {
                return rung;
            }
            self.notify.notified().await;
        }
    }
}
