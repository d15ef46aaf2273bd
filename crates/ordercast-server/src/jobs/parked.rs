//! Raises the alarm about webhooks that wait for an order which does not come (providers contract,
//! section 2): sent to the wrong project, or for orders that were never made here.

use metrics::gauge;
use ordercast_core::Timestamp;
use ordercast_store::{Failure, Store};
use std::time::Duration;

/// An order is made before its payment; what comes earlier overtook it by seconds.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How many wait for longer than that.
///
/// # Errors
/// [`Failure`] of the store.
pub async fn report_parked(store: &Store, now: Timestamp) -> Result<u32, Failure> {
    let parked = store.parked_since(now.minus(PATIENCE)).await?;
    gauge!("ordercast_inbox_parked_long").set(parked);
    if parked > 0 {
        tracing::warn!(
            parked,
            "webhooks wait for orders that do not come; see GET /v1/projects/{{p}}/inbox?state=parked"
        );
    }
    Ok(parked)
}
