//! What the server tells of itself: every metric with its description, there from the start, and the
//! figures of the process that somebody has to read at intervals.
//!
//! Invariant: `docs/metrics.md` is made of [`catalogue::METRICS`], and every metric in the code is in it.

mod catalogue;
mod process;
mod stored;

pub use catalogue::{Kind, METRICS, Metric, page};
pub use process::keep_measuring;
pub use stored::keep_counting;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Describes every metric and gives those with known labels their first value, so that a dashboard
/// shows a zero instead of a hole, and an alert on a rate sees the very first event.
pub fn register() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
        match metric.labels {
            [] => touch(metric.kind, metric.name, Vec::new()),
            [(label, values)] => {
                for value in *values {
                    touch(
                        metric.kind,
                        metric.name,
                        vec![metrics::Label::new(*label, *value)],
                    );
                }
            }
            // Which pairs there are is known once they come.
            _ => {}
        }
    }
    gauge!("ordercast_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn touch(kind: Kind, name: &'static str, labels: Vec<metrics::Label>) {
    match kind {
        Kind::Counter => counter!(name, labels).increment(0),
        // Not set: whoever has set it before knows better.
        Kind::Gauge => gauge!(name, labels).increment(0.0),
        Kind::Histogram => drop(histogram!(name, labels)),
    }
}
