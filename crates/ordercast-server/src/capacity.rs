//! How many connections this process can have: by the limit of open files, and by memory.
//!
//! Invariant: connections never take the files that the database, the log and requests to others need.

use crate::config::Config;
use std::fs;

/// Kept from connections: the database with its readers, the log, webhooks and questions on their way,
/// of which there are up to 200 at once. A small limit gives a quarter of it instead.
const FILES_RESERVED: u64 = 512;
/// Fewer sockets than this serve nobody.
const SOCKETS_MIN: u64 = 16;
/// Of one address, where there are enough of them: a twentieth of 20,000.
const PER_ADDRESS: usize = 1_024;
/// What a connection may cost at worst: what it has not read, and what it has not finished sending.
const CONNECTION_BYTES_MAX: u64 = 32 * 1024;

/// How many sockets there may be, and how many of them may be realtime connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub sockets: usize,
    pub realtime: usize,
}

/// The limit of open files leaves no room for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the limit of open files is {files}, which leaves no room for connections; raise it, for example with ulimit -n or LimitNOFILE="
)]
pub struct TooFewFiles {
    files: u64,
}

impl Capacity {
    /// Raises the limit of open files as far as it goes.
    ///
    /// # Errors
    /// [`TooFewFiles`].
    pub(crate) fn find(config: &Config) -> Result<Self, TooFewFiles> {
        let files = match rlimit::increase_nofile_limit(u64::MAX) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files could not be raised");
                1_024
            }
        };
        let memory = memory_bytes();
        let wanted = config.connections;
        let capacity = Self::of(files, memory, wanted)?;
        let Self { sockets, realtime } = capacity;
        if wanted.is_some_and(|wanted| wanted > realtime) {
            tracing::warn!(
                ?wanted,
                possible = realtime,
                "the setting connections is above what the limit of open files allows"
            );
        }
        let by_memory = memory.map(connections_in);
        if by_memory.is_some_and(|by_memory| count(by_memory) < realtime) {
            tracing::warn!(
                realtime,
                by_memory,
                "the setting connections is above what half the memory holds at 32 KiB a connection"
            );
        }
        tracing::info!(
            files,
            memory_mib = memory.map(|bytes| bytes / 1024 / 1024),
            sockets,
            realtime,
            "open files, sockets and realtime connections at most"
        );
        Ok(capacity)
    }

    /// Sockets of one address that are not realtime connections. A shop's backend may send many requests
    /// at once, and buyers behind one address all connect again after a restart.
    pub(crate) fn of_address(&self, config: &Config) -> usize {
        config.http_connections_per_ip.unwrap_or_else(|| {
            PER_ADDRESS
                .min(self.sockets / 4)
                .max(config.connections_per_ip)
        })
    }

    fn of(files: u64, memory: Option<u64>, wanted: Option<usize>) -> Result<Self, TooFewFiles> {
        let sockets = sockets_within(files);
        if sockets < SOCKETS_MIN {
            return Err(TooFewFiles { files });
        }
        let by_files = realtime_within(files);
        let realtime = match wanted {
            // The operator's word stands against an estimate.
            Some(wanted) => wanted.min(count(by_files)),
            None => count(memory.map_or(by_files, |memory| by_files.min(connections_in(memory)))),
        };
        Ok(Self {
            sockets: count(sockets),
            realtime: realtime.max(1),
        })
    }
}

/// Realtime connections that a limit of open files allows.
#[must_use]
pub fn realtime_within(files: u64) -> u64 {
    // A tenth is left for requests: those whose connection was refused poll.
    sockets_within(files) / 10 * 9
}

fn sockets_within(files: u64) -> u64 {
    files - FILES_RESERVED.min(files / 4)
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn connections_in(memory: u64) -> u64 {
    memory / 2 / CONNECTION_BYTES_MAX
}

/// What this process may have: the machine's memory, or less where its control group says so.
fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total(&text));
    let group = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .into_iter()
    .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
    .min();
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (known, None) | (None, known) => known,
    }
}

/// `MemTotal:       16318480 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn check(files: u64, memory: Option<u64>, wanted: Option<usize>, expected: (usize, usize)) {
        let capacity = Capacity::of(files, memory, wanted).expect("room");
        assert_eq!(
            (capacity.sockets, capacity.realtime),
            expected,
            "{files} {memory:?} {wanted:?}"
        );
    }

    #[test]
    fn files_are_kept_from_connections() {
        check(1_024, None, None, (768, 684));
        check(20_000, None, None, (19_488, 17_532));
        check(20_000, None, Some(5_000), (19_488, 5_000));
        check(20_000, None, Some(100_000), (19_488, 17_532));
        for files in [0, 1, 15, 20] {
            assert_eq!(Capacity::of(files, None, None), Err(TooFewFiles { files }));
        }
    }

    #[test]
    fn memory_bounds_them_too_unless_the_operator_says_otherwise() {
        check(1_000_000, Some(2 * GIB), None, (999_488, 32_768));
        check(1_000_000, Some(2 * GIB), Some(100_000), (999_488, 100_000));
        check(20_000, Some(64 * GIB), None, (19_488, 17_532));
        check(20_000, Some(1), None, (19_488, 1));
    }

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       16318480 kB\nMemFree:          123 kB\n";
        assert_eq!(total(text), Some(16_318_480 * 1024));
        assert_eq!(total(""), None);
    }
}
