//! Webhooks that are turned away leave a trace for the operator: a counter by reason, and one line a
//! minute and source, so that whoever floods us does not flood the log. The sender learns no reason.

use crate::clock;
use metrics::counter;
use ordercast_core::{Timestamp, ids::SourceId, provider::Unverified};
use ordercast_store::Source;
use parking_lot::Mutex;
use std::{borrow::Cow, collections::HashMap, time::Duration};

const QUIET: Duration = Duration::from_secs(60);
/// Sources whose last line is remembered. Beyond them the oldest are forgotten, and may speak again.
const REMEMBERED_MAX: usize = 10_000;

/// Why a webhook is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For the counter: few values.
    pub label: &'static str,
    /// For people; holds no secret.
    pub why: Cow<'static, str>,
}

impl Refusal {
    pub fn new(label: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            label,
            why: why.into(),
        }
    }
}

impl From<Unverified> for Refusal {
    fn from(why: Unverified) -> Self {
        Self::new(why.label(), why.to_string())
    }
}

#[derive(Debug, Default)]
pub struct Refusals {
    /// Of a source, or of all that are not known, when its last line was written and how many were
    /// refused since.
    last: Mutex<HashMap<Option<SourceId>, (Timestamp, u64)>>,
}

impl Refusals {
    pub fn note(&self, source: Option<&Source>, refusal: &Refusal) {
        counter!("ordercast_inbox_refused_total", "reason" => refusal.label).increment(1);
        let Some(unlogged) = self.is_due(source.map(|source| source.id.clone()), clock::now())
        else {
            return;
        };
        let (reason, why) = (refusal.label, refusal.why.as_ref());
        match source {
            Some(source) => tracing::warn!(
                source = %source.id,
                project = %source.project,
                provider = source.provider.as_str(),
                reason,
                why,
                unlogged,
                "webhook refused"
            ),
            None => tracing::warn!(reason, why, unlogged, "webhook refused"),
        }
    }

    /// How many were refused without a line since the last one, if it is time for another.
    fn is_due(&self, source: Option<SourceId>, now: Timestamp) -> Option<u64> {
        let mut last = self.last.lock();
        if last.len() >= REMEMBERED_MAX && !last.contains_key(&source) {
            let quiet = now.minus(QUIET);
            last.retain(|_, (at, _)| *at > quiet);
            if last.len() >= REMEMBERED_MAX {
                last.clear();
            }
        }
        match last.get_mut(&source) {
            Some((at, unlogged)) if now < at.plus(QUIET) && *at <= now => {
                *unlogged += 1;
                None
            }
            Some((at, unlogged)) => {
                *at = now;
                Some(std::mem::take(unlogged))
            }
            None => {
                last.insert(source, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_one_line_a_minute_and_its_own() {
        let refusals = Refusals::default();
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        let source = |id| Some(SourceId::new(id).expect("id"));
        assert_eq!(refusals.is_due(source("a"), at(0)), Some(0));
        assert_eq!(refusals.is_due(source("a"), at(1)), None);
        assert_eq!(refusals.is_due(source("b"), at(1)), Some(0));
        assert_eq!(refusals.is_due(None, at(1)), Some(0));
        assert_eq!(refusals.is_due(source("a"), at(59)), None);
        assert_eq!(refusals.is_due(source("a"), at(60)), Some(2));
    }
}
