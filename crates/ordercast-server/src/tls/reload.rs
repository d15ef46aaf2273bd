//! Takes a renewed key pair into use without a restart.
//!
//! The files are read again and again rather than watched: whoever renews them may replace a file, a
//! link to it or a whole mounted folder, and only the content says for sure.

use super::{Current, Files, KeyPairError};
use crate::{
    clock,
    http::{Shutdown, requested},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch::Receiver;

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the server stops. `seen`: the fingerprint of what is in use.
pub(super) async fn watch(
    files: Files,
    mut seen: [u8; 32],
    current: Arc<Current>,
    mut shutdown: Receiver<Shutdown>,
) {
    let mut is_unreadable = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = requested(&mut shutdown) => return,
        }
        let asked = files.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || asked.read()).await else {
            continue;
        };
        let contents = match read {
            Ok(contents) => contents,
            Err(error) => {
                // Said once: the files may be away for a moment while they are replaced.
                if !is_unreadable {
                    keep(&error);
                }
                is_unreadable = true;
                continue;
            }
        };
        is_unreadable = false;
        let fingerprint = contents.fingerprint();
        if fingerprint == seen {
            continue;
        }
        // One that does not fit is not looked at again until it changes.
        seen = fingerprint;
        match files.check(&contents, clock::now()) {
            Ok(pair) => {
                pair.report();
                current.replace(pair);
            }
            Err(error) => keep(&error),
        }
    }
}

fn keep(error: &KeyPairError) {
    tracing::warn!(%error, "the TLS certificate in use stays");
}
