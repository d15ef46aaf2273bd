//! The database file, what waits in it, and the clock that its newest row knows.

use super::Finding;
use ordercast_core::Timestamp;
use ordercast_server::clock;
use ordercast_store::{Examination, Store, examine as look};
use std::{path::Path, time::Duration};

/// The log is written over again at about 4 MB; the server itself moves one of 32 MiB.
const LOG_BYTES_ODD: u64 = 64 * 1024 * 1024;
/// Clocks of one machine do not go back further by themselves.
const CLOCK_BACK: Duration = Duration::from_secs(60);
const YEAR_2024: Timestamp = Timestamp::from_seconds(1_704_067_200);

pub fn examine(path: &Path, full: bool, stuck_minutes: u32) -> Vec<Finding> {
    if let Some(beside) = Store::interrupted_restore(path) {
        let said = format!(
            "{} is not there, but {} is: a restore was interrupted",
            path.display(),
            beside.display()
        );
        let advice = "run `ordercast restore` again, or rename a copy of the database; the server \
                      makes no empty one beside it";
        return vec![Finding::error("database", said, advice)];
    }
    if !path.exists() {
        let found = format!("{} is not there yet", path.display());
        return vec![Finding::ok("database", found), clock_of(None)];
    }
    let stuck_since = clock::now().minus(Duration::from_secs(u64::from(stuck_minutes) * 60));
    let found = match look(path, full, stuck_since) {
        Ok(found) => found,
        Err(error) => {
            let advice = "restore a backup with `ordercast restore`";
            return vec![Finding::error("database", error.to_string(), advice)];
        }
    };
    let mut findings = vec![
        schema(&found),
        integrity(&found, full),
        clock_of(found.newest_change),
    ];
    findings.push(log_of(&found));
    findings.push(keys(&found));
    findings.extend(stuck(&found, stuck_minutes));
    findings
}

fn schema(found: &Examination) -> Finding {
    let (schema, known) = (found.schema, found.schema_known);
    if !found.is_ours {
        let advice = "choose another data folder";
        Finding::error("database", "the file is of another application", advice)
    } else if schema > known {
        let said = format!("a newer version wrote it (schema {schema}, this knows {known})");
        Finding::error("database", said, "update ordercast")
    } else if schema < known {
        let said = format!("schema {schema} of {known}");
        let advice = "nothing to do: the next start brings it up to date; make a backup first";
        Finding::warning("database", said, advice)
    } else {
        let said = format!("schema {schema}, {} projects", found.projects);
        Finding::ok("database", said)
    }
}

fn log_of(found: &Examination) -> Finding {
    let said = format!(
        "{} MiB not yet moved into the database",
        found.wal_bytes >> 20
    );
    if found.wal_bytes > LOG_BYTES_ODD {
        let advice = "look for a program that keeps the database open for reading: a backup that runs \
                      now, or a foreign one (`fuser` names it)";
        return Finding::warning("database log", said, advice);
    }
    Finding::ok("database log", said)
}

fn integrity(found: &Examination, full: bool) -> Finding {
    if found.integrity == "ok" {
        let how = if full {
            "whole"
        } else {
            "whole by the quick check"
        };
        return Finding::ok("integrity", how);
    }
    Finding::error(
        "integrity",
        found.integrity.clone(),
        "stop the server, keep a copy of the file, restore a backup with `ordercast restore`, and \
         check the disk",
    )
}

fn clock_of(newest: Option<Timestamp>) -> Finding {
    let now = clock::now();
    let advice = "set the machine's clock, and keep it by NTP";
    if now < YEAR_2024 {
        return Finding::error("clock", "it is before 2024", advice);
    }
    match newest {
        Some(newest) if newest.minus(CLOCK_BACK) > now => {
            let seconds = (newest.millis() - now.millis()) / 1000;
            let said = format!("{seconds} s behind the newest change in the database");
            Finding::error("clock", said, advice)
        }
        _ => Finding::ok("clock", "not behind the newest change"),
    }
}

fn keys(found: &Examination) -> Finding {
    match found.projects_without_jwt_key {
        0 => Finding::ok("keys", "every project can verify its users"),
        count => Finding::warning(
            "keys",
            format!("{count} projects have no key that verifies users' JWTs"),
            "give them one, or their buyers can use payment tokens only",
        ),
    }
}

fn stuck(found: &Examination, minutes: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    if found.undelivered > 0 {
        findings.push(Finding::warning(
            "orders",
            format!(
                "{} paid but not done for {minutes} minutes",
                found.undelivered
            ),
            "see whether the shop's backend reads its events and calls transitions",
        ));
    }
    if found.parked > 0 {
        findings.push(Finding::warning(
            "provider inbox",
            format!(
                "{} webhooks without their order for {minutes} minutes",
                found.parked
            ),
            "see GET /v1/projects/{p}/inbox: another project, or orders that were never made here",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("orders", "none is stuck"));
    }
    findings.extend(for_people(found));
    findings
}

/// What the server has done all it can about.
fn for_people(found: &Examination) -> impl Iterator<Item = Finding> {
    [
        (
            "decisions",
            found.flagged,
            "orders with a flag that waits for a decision",
            "see GET /v1/projects/{p}/orders?flag=, and docs/flags.md for what to do",
        ),
        (
            "deliveries",
            found.deliveries_dead,
            "webhooks given up after their last attempt",
            "repair the endpoint, then POST /v1/projects/{p}/endpoints/{id}/recover",
        ),
        (
            "endpoints",
            found.endpoints_disabled,
            "endpoints disabled: nothing is sent to them",
            "repair them, then enable them; see GET /v1/projects/{p}/operator-events",
        ),
    ]
    .into_iter()
    .map(|(subject, count, what, advice)| match count {
        0 => Finding::ok(subject, "none waits"),
        _ => Finding::warning(subject, format!("{count} {what}"), advice),
    })
}
