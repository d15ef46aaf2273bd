//! Answers that were given before: asked for before anything is read that may have changed since, so
//! that a repeated request gets the same answer whatever happened in between.

use crate::{Failure, Outcome, Store, sqlite::replay};
use ordercast_core::ProjectId;

impl Store {
    /// [`Outcome::Replayed`] or [`Outcome::KeyConflict`]; `None`: the key is new, or its first request
    /// is on its way. The writer asks again.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn replay(
        &self,
        project: ProjectId,
        route: String,
        key: String,
        body_hash: [u8; 32],
    ) -> Result<Option<Outcome>, Failure> {
        self.read(move |connection| replay::find(connection, project, &route, &key, &body_hash))
            .await
    }
}
