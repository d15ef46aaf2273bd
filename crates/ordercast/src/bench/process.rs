//! What a process uses, as Linux counts it.

use anyhow::Context;
use std::time::Duration;

/// User and system time so far, of all threads of a process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(path).context("CPU time is known on Linux only")?;
    // The name in parentheses may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?;
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    // USER_HZ, which Linux has at 100 for every program.
    Ok(Duration::from_millis(ticks * 10))
}

/// Bytes of memory of its own: heap and stacks, without files and without what the kernel keeps for
/// its sockets.
pub fn memory(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(path).context("memory is known on Linux only")?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .context("an odd /proc/PID/smaps_rollup")?;
    Ok(kilobytes * 1024)
}

/// Keeps the calling thread, and processes that it starts from now on, on one core.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).context("cannot choose a core")
}

/// Keeps all threads that there are on one core.
pub fn pin_all(core: usize) -> anyhow::Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    for task in std::fs::read_dir("/proc/self/task")? {
        let id = task?.file_name().to_string_lossy().parse()?;
        let thread = rustix::thread::Pid::from_raw(id);
        rustix::thread::sched_setaffinity(thread, &cores).context("cannot choose a core")?;
    }
    Ok(())
}
