//! The data folder and its disk, open files, the address.

use super::Finding;
use ordercast_server::{capacity, config::Config};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

const FREE_BYTES_LOW: u64 = 1 << 30;
const FREE_BYTES_NONE: u64 = 64 << 20;
const SYNCS: usize = 21;
const SYNC_SLOW: Duration = Duration::from_millis(20);
const HEALTH_WAIT: Duration = Duration::from_secs(2);

pub fn data_folder(folder: &Path) -> Vec<Finding> {
    let subject = "data folder";
    if !folder.exists() {
        let said = format!("{} is not there yet; the server makes it", folder.display());
        return vec![Finding::ok(subject, said)];
    }
    let mut findings = vec![permissions(folder)];
    #[cfg(unix)]
    findings.extend(disk::examine(folder));
    findings.push(match sync_time(folder) {
        Err(error) => Finding::error(
            subject,
            format!("cannot be written: {error}"),
            "give the server's user the folder",
        ),
        Ok(median) if median > SYNC_SLOW => Finding::warning(
            "disk",
            format!("{median:.1?} to make a write durable"),
            "every batch of changes waits for this: a disk with a power-safe cache takes under 1 ms",
        ),
        Ok(median) => Finding::ok("disk", format!("{median:.1?} to make a write durable")),
    });
    findings
}

/// The median of a few.
fn sync_time(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let measured = File::create_new(&path).and_then(|mut file| {
        let mut times = Vec::new();
        for _ in 0..SYNCS {
            file.write_all(&[0; 4096])?;
            let started = Instant::now();
            file.sync_data()?;
            times.push(started.elapsed());
        }
        times.sort();
        Ok(times[SYNCS / 2])
    });
    let _ = fs::remove_file(&path);
    measured
}

#[cfg(unix)]
fn permissions(folder: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let subject = "data folder";
    let mode = |path: &Path| fs::metadata(path).map(|m| m.permissions().mode() & 0o777);
    for name in [ordercast_server::DATABASE, "root.key", "secrets.key"] {
        if let Ok(mode) = mode(&folder.join(name))
            && mode & 0o077 != 0
        {
            let said = format!("{name} may be read by others (mode {mode:o})");
            return Finding::error(subject, said, format!("chmod 600 {name}: it holds secrets"));
        }
    }
    match mode(folder) {
        Ok(mode) if mode & 0o022 != 0 => Finding::warning(
            subject,
            format!("others may write to it (mode {mode:o})"),
            "chmod 700",
        ),
        Ok(_) => Finding::ok(subject, folder.display().to_string()),
        Err(error) => Finding::error(
            subject,
            error.to_string(),
            "give the server's user the folder",
        ),
    }
}

#[cfg(not(unix))]
fn permissions(folder: &Path) -> Finding {
    Finding::ok("data folder", folder.display().to_string())
}

#[cfg(unix)]
mod disk {
    use super::{FREE_BYTES_LOW, FREE_BYTES_NONE, Finding};
    use std::path::Path;

    pub fn examine(folder: &Path) -> Vec<Finding> {
        let Ok(disk) = rustix::fs::statvfs(folder) else {
            return Vec::new();
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let said = format!("{} MiB free", free >> 20);
        let advice = "make room: a server whose disk is full answers 503 to every change";
        let mut findings = vec![match free {
            0..FREE_BYTES_NONE => Finding::error("disk", said, advice),
            FREE_BYTES_NONE..FREE_BYTES_LOW => Finding::warning("disk", said, advice),
            _ => Finding::ok("disk", said),
        }];
        if is_network(folder) {
            findings.push(Finding::error(
                "disk",
                "a network file system",
                "use a local disk: locks and durable writes of a database cannot be trusted here",
            ));
        }
        findings
    }

    /// By the magic numbers of linux/magic.h.
    #[cfg(target_os = "linux")]
    fn is_network(folder: &Path) -> bool {
        const NFS: i64 = 0x6969;
        const SMB: i64 = 0x517B;
        const SMB2: i64 = 0xFE53_4D42;
        const CIFS: i64 = 0xFF53_4D42;
        const NINE_P: i64 = 0x0102_1997;
        rustix::fs::statfs(folder).is_ok_and(|found| {
            #[expect(clippy::unnecessary_cast, reason = "narrower on other architectures")]
            let kind = found.f_type as i64;
            matches!(kind, NFS | SMB | SMB2 | CIFS | NINE_P)
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn is_network(_: &Path) -> bool {
        false
    }
}

pub fn open_files(config: &Config) -> Finding {
    let Ok((_, hard)) = rlimit::Resource::NOFILE.get() else {
        return Finding::ok("open files", "no limit is known");
    };
    let room = capacity::realtime_within(hard);
    match config.connections {
        Some(wanted) if wanted as u64 > room => Finding::warning(
            "open files",
            format!("at most {hard}, for {wanted} connections"),
            "raise the limit (LimitNOFILE of systemd) or lower `connections`",
        ),
        _ if room < 4_096 => Finding::warning(
            "open files",
            format!("at most {hard}: about {room} realtime connections"),
            "raise the limit (LimitNOFILE of systemd)",
        ),
        _ => Finding::ok("open files", format!("at most {hard}")),
    }
}

/// Free, or a server of ours.
pub async fn address(config: &Config) -> Finding {
    let address = config.listen;
    let subject = "address";
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(subject, format!("{address} is free")),
        // Its certificate is for the public name, which only the operator knows.
        Err(error) if error.kind() == ErrorKind::AddrInUse && config.tls_files().is_some() => {
            let said =
                format!("a program listens on {address}; https://NAME/health says if it is well");
            Finding::ok(subject, said)
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => match health(address).await {
            Some(true) => Finding::ok(subject, format!("a healthy server answers on {address}")),
            Some(false) => Finding::error(
                subject,
                format!("the server on {address} is not well"),
                "read its log",
            ),
            None => Finding::error(
                subject,
                format!("{address} is taken by another program"),
                "choose another with `listen`",
            ),
        },
        Err(error) => Finding::error(
            subject,
            format!("{address}: {error}"),
            "choose another with `listen`",
        ),
    }
}

async fn health(address: SocketAddr) -> Option<bool> {
    let client = reqwest::Client::builder()
        .timeout(HEALTH_WAIT)
        .build()
        .ok()?;
    let answer = client
        .get(format!("http://{address}/health"))
        .send()
        .await
        .ok()?;
    let body: serde_json::Value = answer.json().await.ok()?;
    Some(body.get("status")?.as_str()? == "ok")
}
