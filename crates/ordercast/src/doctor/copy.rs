//! How old the newest backup is, as far as `ordercast backup` has made it.

use super::Finding;
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const AGE_ODD: Duration = Duration::from_secs(26 * 3600);
const ADVICE: &str =
    "run `ordercast backup` at least once a day, and keep secrets.key elsewhere too";

/// Beside the database: what the last backup was written to. Its own time is that of the backup.
pub fn mark(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".backup");
    PathBuf::from(name)
}

pub fn examine(database: &Path) -> Finding {
    let subject = "backup";
    if !database.exists() {
        return Finding::ok(subject, "there is nothing to copy yet");
    }
    let made = std::fs::metadata(mark(database)).and_then(|mark| mark.modified());
    let Ok(made) = made else {
        let found = "`ordercast backup` has made none of this database";
        return Finding::warning(subject, found, ADVICE);
    };
    let age = SystemTime::now().duration_since(made).unwrap_or_default();
    let found = format!("{} hours old", age.as_secs() / 3600);
    if age > AGE_ODD {
        Finding::warning(subject, found, ADVICE)
    } else {
        Finding::ok(subject, found)
    }
}
