//! Figures: the median of several runs, as a table for people or as JSON.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// One figure with how it spread.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    /// Of the runs.
    pub median: f64,
    pub runs: Vec<f64>,
    /// What it was measured beside, in the same run: for example how long the disk takes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub beside: String,
    /// Of a latency: all runs together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bucket>,
}

/// How many latencies were longer than the bucket before allows, and no longer than this one does.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bucket {
    pub up_to_micros: u64,
    pub count: u64,
}

impl Figure {
    pub fn new(name: &'static str, unit: &'static str, runs: Vec<f64>, beside: String) -> Self {
        Self {
            name,
            unit,
            median: median(&runs),
            runs,
            beside,
            histogram: Vec::new(),
        }
    }
}

pub fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn print(figures: &[Figure], as_json: bool) {
    if as_json {
        println!("{}", serde_json::json!({ "figures": figures }));
        return;
    }
    for figure in figures {
        let runs: Vec<_> = figure.runs.iter().map(|run| number(*run)).collect();
        println!(
            "{:<44} {:>10} {:<16} runs {}{}{}",
            figure.name,
            number(figure.median),
            figure.unit,
            runs.join(", "),
            if figure.beside.is_empty() { "" } else { "; " },
            figure.beside
        );
        print_histogram(&figure.histogram);
    }
}

fn print_histogram(buckets: &[Bucket]) {
    const WIDTH: u64 = 40;
    let highest = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    for bucket in buckets {
        // As long as its share of the highest; anything at all is seen.
        let length = (bucket.count * WIDTH).div_ceil(highest.max(1));
        let bar: String = (0..length).map(|_| '#').collect();
        #[expect(clippy::cast_precision_loss, reason = "less than a minute")]
        let millis = bucket.up_to_micros as f64 / 1e3;
        println!("  up to {millis:>9.3} ms {:>9} {bar}", bucket.count);
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// Latencies, microseconds, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_max(60_000_000, 3)?))
    }

    pub fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Each twice as wide as the one before; those before the first that has any are left out.
    pub fn buckets(&self) -> Vec<Bucket> {
        let buckets = self.0.iter_log(64, 2.0).map(|step| Bucket {
            up_to_micros: step.value_iterated_to(),
            count: step.count_since_last_iteration(),
        });
        buckets.skip_while(|bucket| bucket.count == 0).collect()
    }

    pub fn percentile(&self, percentile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_percentile(percentile))
    }
}
