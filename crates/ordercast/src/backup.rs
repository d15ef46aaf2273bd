//! `ordercast backup`, `ordercast restore` and `ordercast compact`.

use crate::doctor::copy::mark;
use anyhow::Context;
use clap::Args;
use ordercast_server::{DATABASE, clock};
use ordercast_store::Progress;
use std::{io::IsTerminal, path::PathBuf, time::Duration};

const BACKUP_HELP: &str = "\
The server may run meanwhile: the copy is one consistent state of it, checked and on disk when the
command ends. The projects' secrets in it are sealed: keep secrets.key of the data folder too, in
another place. Without that key a restored database does not open.

Example:
  ordercast backup --data-dir /var/lib/ordercast /backup/orders-$(date +%F).db";

const RESTORE_HELP: &str = "\
Stop the server first. The restored database begins a new epoch: clients that had seen more than the
backup holds are told to start over, and read the statuses that are true now.

Example:
  ordercast restore --data-dir /var/lib/ordercast /backup/orders-2026-11-23.db";

#[derive(Debug, Args)]
#[command(after_help = BACKUP_HELP)]
pub struct BackupArgs {
    /// File to write; must not be there yet
    to: PathBuf,
    /// Folder of the database
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "ordercast-data",
        env = "ORDERCAST_DATA_DIR"
    )]
    data_dir: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = RESTORE_HELP)]
pub struct RestoreArgs {
    /// A file that `ordercast backup` wrote
    from: PathBuf,
    /// Folder of the database
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "ordercast-data",
        env = "ORDERCAST_DATA_DIR"
    )]
    data_dir: PathBuf,
    /// Put it in the place of the database that is there, which is kept under another name
    #[arg(long)]
    replace: bool,
}

const COMPACT_HELP: &str = "\
Stop the server first. The database is written anew without the room that deleted rows have left; it
takes as much free room as the file has. A file of an older version shrinks by itself from then on.

Example:
  ordercast compact --data-dir /var/lib/ordercast";

#[derive(Debug, Args)]
#[command(after_help = COMPACT_HELP)]
pub struct CompactArgs {
    /// Folder of the database
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "ordercast-data",
        env = "ORDERCAST_DATA_DIR"
    )]
    data_dir: PathBuf,
}

pub fn compact(args: &CompactArgs) -> anyhow::Result<()> {
    let database = args.data_dir.join(DATABASE);
    let bytes = || -> anyhow::Result<u64> {
        let metadata = std::fs::metadata(&database);
        Ok(metadata
            .with_context(|| format!("there is no database {}", database.display()))?
            .len())
    };
    let before = bytes()?;
    ordercast_store::compact(&database)?;
    println!(
        "{}: {}, was {}",
        database.display(),
        size(bytes()?),
        size(before)
    );
    Ok(())
}

pub fn backup(args: &BackupArgs) -> anyhow::Result<()> {
    let database = args.data_dir.join(DATABASE);
    let mut shown = Shown::new();
    let bytes = ordercast_store::backup(&database, &args.to, clock::now(), &mut |progress| {
        shown.show(progress);
    })?;
    shown.end();
    // For `ordercast doctor`. Somebody else's user may not write here: then it does not know.
    let _ = std::fs::write(mark(&database), format!("{}\n", args.to.display()));
    println!(
        "{}: {} of {}",
        args.to.display(),
        size(bytes),
        database.display()
    );
    Ok(())
}

pub fn restore(args: &RestoreArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("cannot use the data folder {}", args.data_dir.display()))?;
    let database = args.data_dir.join(DATABASE);
    let seed = u64::from_le_bytes(clock::random());
    let aside = ordercast_store::restore(&args.from, &database, args.replace, clock::now(), seed)
        .map_err(|error| match error {
        ordercast_store::BackupError::Exists(path) => anyhow::anyhow!(
            "{} is there already; --replace keeps it under another name",
            path.display()
        ),
        other => other.into(),
    })?;
    println!("{}: restored, with a new epoch", database.display());
    if let Some(old) = aside {
        println!("{}: the database that was there", old.display());
    }
    Ok(())
}

/// Of a copy that lasts: on a terminal, from the third second on.
struct Shown {
    since: std::time::Instant,
    percent: Option<u8>,
}

impl Shown {
    fn new() -> Self {
        Self {
            since: clock::monotonic(),
            percent: None,
        }
    }

    fn show(&mut self, progress: Progress) {
        let lasts = self.since.elapsed() > Duration::from_secs(2);
        if !lasts || self.percent == Some(progress.percent) || !std::io::stderr().is_terminal() {
            return;
        }
        self.percent = Some(progress.percent);
        let log = size(progress.log_bytes);
        eprint!(
            "\r{} % copied; the server's log is at {log} ",
            progress.percent
        );
    }

    fn end(&self) {
        if self.percent.is_some() {
            eprintln!("\rcopied, now checked                              ");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
