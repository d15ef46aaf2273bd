//! Changes on their way to the writer. It takes them one after the other, so a request that repeats
//! the key of one still on its way waits behind it and gets its answer (guarantees, I21).

use super::{App, problem::Problem};
use axum::http::StatusCode;
use ordercast_store::{Outcome, Submission};
use std::time::Duration;

/// How long a keyed request waits for the disk. Whoever has a key can ask again, and learns then.
const KEYED_WAIT_MAX: Duration = Duration::from_secs(5);

impl App {
    /// # Errors
    /// 503 when nothing was changed; 409 `in_progress` when a request with an idempotency key is not
    /// decided within 5 s.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, Problem> {
        let is_keyed = submission.idempotency.is_some();
        let decided = self.store.submit(submission);
        if !is_keyed {
            return Ok(decided.await?);
        }
        match tokio::time::timeout(KEYED_WAIT_MAX, decided).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(Problem::new(
                StatusCode::CONFLICT,
                "in_progress",
                "the request is not decided yet; repeat it with the same Idempotency-Key",
            )
            .with_retry()),
        }
    }
}
