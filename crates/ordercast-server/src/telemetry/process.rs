//! Figures of the process: memory, CPU, open files, and how late its tasks run.

use crate::{
    clock,
    http::{Shutdown, requested},
};
use metrics::{gauge, histogram};
use std::{fs, time::Duration};
use tokio::sync::watch;

const INTERVAL: Duration = Duration::from_secs(5);
/// A task that sleeps this long and wakes up late says how long others wait for a worker.
const PROBE: Duration = Duration::from_millis(250);

/// Until the server stops.
pub async fn keep_measuring(mut stopping: watch::Receiver<Shutdown>) {
    let mut measured = None;
    loop {
        let began = clock::monotonic();
        tokio::select! {
            () = tokio::time::sleep(PROBE) => {}
            () = requested(&mut stopping) => return,
        }
        let late = began.elapsed().saturating_sub(PROBE);
        histogram!("ordercast_runtime_lag_seconds").record(late.as_secs_f64());
        if measured.is_none_or(|at: std::time::Instant| at.elapsed() >= INTERVAL) {
            measured = Some(clock::monotonic());
            measure();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point")]
fn measure() {
    if let Some(bytes) = resident_bytes() {
        gauge!("ordercast_process_resident_bytes").set(bytes as f64);
    }
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    gauge!("ordercast_process_cpu_seconds").set(used.tv_sec as f64 + used.tv_nsec as f64 / 1e9);
    // Of Linux; elsewhere the gauge stays at zero.
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        gauge!("ordercast_process_open_files").set(files.count() as f64);
    }
    if let Ok((soft, _)) = rlimit::Resource::NOFILE.get() {
        gauge!("ordercast_process_open_files_limit").set(soft as f64);
    }
}

/// `None` where there is no `/proc`.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}
