//! Which run of history this database holds, and whether clients have seen more of it than there is.
//!
//! One epoch names the run for all channels: eight random letters, and a tag of five that only this
//! database's key makes, so that nobody can make up an epoch that was never given out. All epochs that
//! the database ever had are kept. The next offsets of a database that was put back to an older state
//! would name other publications than before, so it begins a new epoch (guarantees, I9), and all numbers
//! go on beyond what may have been given out. That it was put back shows in two ways:
//!
//! - Beside the file stands a mark of the newest publication that was committed, and of its epoch. A
//!   database that is behind its mark, or does not know the mark's epoch, was put back alone.
//! - When the whole folder was put back, mark included, only clients know. One that brings an epoch of
//!   ours with an offset beyond the top proves it, see [`Identity::is_proven_by`].

use super::{
    OpenError,
    beyond::{self, Given},
    rows,
};
use crate::Proof;
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use ordercast_core::{Timestamp, channel::Epoch};
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OptionalExtension};
use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// Random letters of an epoch: 26^8 runs of history.
const LETTERS: usize = 8;
/// Letters of its tag: who tries them one connect at a time has 12 million before him.
const TAG_LETTERS: usize = 5;
/// Of the fields of the mark: fixed widths, so that each write replaces the last.
const EPOCH_WIDTH: usize = 16;
const DIGITS: usize = 20;

/// The epoch now, and those before it.
#[derive(Debug)]
pub(crate) struct Identity {
    key: hmac::Key,
    /// For epochs that begin while it is open.
    seed: u64,
    run: RwLock<Run>,
}

#[derive(Debug)]
struct Run {
    epoch: Epoch,
    /// It began in this process: nobody can have seen more of it than there is.
    began_here: bool,
    /// Bound: one for each time that the database was put back.
    before: HashSet<String>,
}

impl Identity {
    pub(crate) fn epoch(&self) -> Epoch {
        self.run.read().epoch.clone()
    }

    /// Whether a client's position proves that the database was put back since the client got it: the
    /// epoch is one that was given out here, and it is either unknown, so that it began in a later
    /// state than this, or the present one with an offset that is not there (`is_beyond_top`).
    ///
    /// A buyer who lies about the offset can bring about one new epoch after each start of the server;
    /// what everybody else then sees is one recovery that is refused.
    pub(crate) fn is_proven_by(&self, proof: &Proof) -> bool {
        let run = self.run.read();
        let epoch = unrolled(&proof.epoch);
        if run.epoch.as_str() == epoch {
            return proof.is_beyond_top && !run.began_here;
        }
        !run.before.contains(epoch) && is_tagged(&self.key, epoch)
    }

    /// A new epoch was committed.
    pub(super) fn begin(&self, epoch: Epoch, proven_by: &str) {
        let mut run = self.run.write();
        let before = std::mem::replace(&mut run.epoch, epoch);
        run.before.insert(before.to_string());
        run.before.insert(unrolled(proven_by).to_owned());
        run.began_here = true;
    }
}

/// The database's epoch of a channel's: a channel that rolled adds `r` and a number.
fn unrolled(epoch: &str) -> &str {
    let end = epoch.trim_end_matches(|c: char| c.is_ascii_digit());
    match end.strip_suffix('r') {
        Some(base) if end.len() < epoch.len() && base.len() > LETTERS => base,
        _ => epoch,
    }
}

/// The newest publication that was committed, in a file beside the database; and the times at which the
/// clock was believed.
#[derive(Debug)]
pub(crate) struct HighWater(Mutex<Mark>);

#[derive(Debug)]
struct Mark {
    file: File,
    epoch: Epoch,
    position: i64,
    /// When the clock was found steady for the last time.
    steady: Option<Timestamp>,
    /// See [`HighWater::guard_time`].
    guard: Timestamp,
}

impl HighWater {
    /// Not synced: after a crash of the machine the mark may be lower than the log, which is safe.
    pub(super) fn raise(&self, position: i64) {
        let mut mark = self.0.lock();
        mark.position = position;
        mark.write();
    }

    pub(super) fn begin(&self, epoch: Epoch) {
        self.0.lock().epoch = epoch;
    }

    /// The clock went as it should since it was noted last, `elapsed` ago.
    pub(crate) fn note_steady(&self, now: Timestamp, elapsed: Duration) {
        let mut mark = self.0.lock();
        mark.steady = Some(now);
        mark.guard = mark
            .guard
            .max(now.min(mark.guard.plus(elapsed * GUARD_RATE)));
        mark.write();
    }

    pub(crate) fn steady(&self) -> Option<Timestamp> {
        self.0.lock().steady
    }

    /// The time by which what guards money grows old. It follows the clock at no more than twice the
    /// speed of time that passes here, so that no wrong clock makes much of it old at once.
    pub(crate) fn guard_time(&self) -> Timestamp {
        self.0.lock().guard
    }
}

impl Mark {
    fn write(&mut self) {
        let line = format!(
            "{:<EPOCH_WIDTH$} {:0DIGITS$} {:0DIGITS$} {:0DIGITS$}\n",
            self.epoch.as_str(),
            self.position,
            self.steady.unwrap_or_default().millis().max(0),
            self.guard.millis().max(0),
        );
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "the mark of the newest publication could not be written");
        }
    }
}

/// The times that a mark tells: when the clock was steady, and the guard time.
fn times(mark: &str) -> (Option<Timestamp>, Option<Timestamp>) {
    // Marks of earlier versions have a number of another kind in the third place, and no fourth.
    let mut words = mark.split_whitespace().skip(2);
    let mut time = || {
        let millis: i64 = words.next()?.parse().ok()?;
        (millis > 0).then(|| Timestamp::from_millis(millis))
    };
    match (time(), time()) {
        (steady, Some(guard)) => (steady, Some(guard)),
        _ => (None, None),
    }
}

/// What the mark says of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Continuous,
    /// It was put back: so many publications that clients have seen are not there, or more.
    Behind(i64),
}

/// How fast what guards money may grow old, against the time that passes.
const GUARD_RATE: u32 = 2;

/// Reads the database's epoch, or gives it one, and compares it with its mark.
pub(super) fn establish(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
    seed: u64,
) -> Result<(Identity, HighWater), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let mark = mark_path(path);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&mark)
        .map_err(|source| OpenError::Io {
            path: mark.clone(),
            source,
        })?;
    let mut text = String::new();
    // What is not ours says nothing.
    let _ = file.read_to_string(&mut text);
    let established = (|| {
        let transaction = connection.transaction()?;
        let mut began_here = ensure(&transaction, now, seed)?;
        let position = newest_position(&transaction)?;
        if let Verdict::Behind(lost) = judge(&transaction, &text, position)? {
            tracing::warn!(
                database = %path.display(),
                lost,
                "the database is older than what clients have seen of it: it begins a new epoch"
            );
            let reason = "the database was behind its mark";
            begin(&transaction, now, (seed, &text), reason)?;
            let unseen = beyond::headroom(beyond::age(&transaction, now)?);
            beyond::go_beyond(&transaction, unseen.saturating_add(lost), &Given::default())?;
            began_here = true;
        }
        let position = newest_position(&transaction)?;
        let newest = beyond::newest_time(&transaction)?;
        let epochs = all(&transaction)?;
        let key = key(&transaction)?;
        transaction.commit()?;
        Ok::<_, rusqlite::Error>((epochs, key, (position, newest), began_here))
    })();
    let (mut epochs, key, (position, newest), began_here) = established.map_err(sqlite)?;
    let epoch = epochs
        .pop()
        .and_then(|epoch| Epoch::new(&epoch))
        .ok_or_else(|| sqlite(rows::corrupt("epochs.epoch")))?;
    let (steady, guard) = times(&text);
    let high_water = HighWater(Mutex::new(Mark {
        file,
        epoch: epoch.clone(),
        position,
        steady: steady.or(newest),
        guard: guard.or(newest).unwrap_or(now),
    }));
    high_water.raise(position);
    let run = Run {
        epoch,
        began_here,
        before: epochs.into_iter().collect(),
    };
    let identity = Identity {
        key,
        seed,
        run: RwLock::new(run),
    };
    Ok((identity, high_water))
}

fn newest_position(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(position), 0) FROM publications";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Gives a database its key and its first epoch; whether that one is new. Databases of versions without
/// tags keep the epoch that they have.
fn ensure(connection: &Connection, now: Timestamp, seed: u64) -> rusqlite::Result<bool> {
    connection.execute(
        "INSERT OR IGNORE INTO meta (name, value) VALUES ('epoch_key', ?1)",
        [HEXLOWER.encode(&digest(&[
            "epoch key",
            &seed.to_string(),
            &now.millis().to_string(),
        ]))],
    )?;
    if !all(connection)?.is_empty() {
        return Ok(false);
    }
    let value = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get::<_, String>(0)
            })
            .optional()
    };
    match (value("identity")?, value("generation")?) {
        (Some(identity), Some(generation)) => {
            let epoch = format!("{identity}{generation}");
            insert(connection, &epoch, now, "of an earlier version")?;
            Ok(false)
        }
        _ => {
            begin(connection, now, (seed, ""), "the database was made")?;
            Ok(true)
        }
    }
}

fn judge(connection: &Connection, mark: &str, position: i64) -> rusqlite::Result<Verdict> {
    let mut words = mark.split_whitespace();
    let (Some(word), Some(seen)) = (
        words.next(),
        words.next().and_then(|word| word.parse::<i64>().ok()),
    ) else {
        return Ok(Verdict::Continuous);
    };
    let behind = Verdict::Behind((seen - position).max(0));
    let mut epochs = all(connection)?;
    // Marks of earlier versions have identity and generation apart, or no generation.
    let seen_in = if word.len() > LETTERS {
        word.to_owned()
    } else {
        let generation = words.next().and_then(|word| word.parse::<i64>().ok());
        match generation {
            Some(generation) => format!("{word}{generation}"),
            None => match epochs.iter().rfind(|epoch| epoch.starts_with(word)) {
                Some(epoch) => epoch.clone(),
                None => return Ok(behind),
            },
        }
    };
    let present = epochs.pop();
    Ok(if present.as_ref() == Some(&seen_in) {
        if seen > position {
            behind
        } else {
            Verdict::Continuous
        }
    } else if epochs.contains(&seen_in) || is_earlier_generation(&seen_in, present.as_deref()) {
        // The mark was not written since: the database is ahead of it.
        Verdict::Continuous
    } else {
        behind
    })
}

/// Of the epochs that ended before they were kept: the same letters, a lower number.
fn is_earlier_generation(seen: &str, present: Option<&str>) -> bool {
    let parts = |epoch: &str| {
        let (letters, number) = epoch.split_at_checked(LETTERS)?;
        Some((letters.to_owned(), number.parse::<u64>().ok()?))
    };
    match (parts(seen), present.and_then(parts)) {
        (Some((seen, earlier)), Some((letters, later))) => seen == letters && earlier < later,
        _ => false,
    }
}

/// A database that begins anew on the rows of another: nothing that clients know of the other may be
/// believed of it. `known`: epochs that were given out in its place.
pub(super) fn renew(
    connection: &Connection,
    now: Timestamp,
    seed: u64,
    (known, given): (&[String], &Given),
) -> rusqlite::Result<()> {
    ensure(connection, now, seed)?;
    let mine = all(connection)?;
    for epoch in known.iter().filter(|epoch| !mine.contains(epoch)) {
        insert(
            connection,
            epoch,
            now,
            "of the database that was there before",
        )?;
    }
    begin(connection, now, (seed, ""), "restored from a backup")?;
    let unseen = beyond::headroom(beyond::age(connection, now)?);
    beyond::go_beyond(connection, unseen, given)
}

/// A new epoch, which no state of this database can have had.
fn begin(
    connection: &Connection,
    now: Timestamp,
    (seed, what): (u64, &str),
    reason: &str,
) -> rusqlite::Result<Epoch> {
    let key = key(connection)?;
    let before = all(connection)?;
    let random = digest(&[
        "epoch",
        &seed.to_string(),
        &now.millis().to_string(),
        what,
        &before.concat(),
    ]);
    let letters = letters(&random, LETTERS);
    let epoch = format!("{letters}{}", tag(&key, &letters));
    insert(connection, &epoch, now, reason)?;
    Epoch::new(&epoch).ok_or_else(|| rows::corrupt("epochs.epoch"))
}

/// A new epoch, because a client has seen more of `proof` than there is. `proof` is known from now on:
/// it proves this once.
pub(super) fn begin_after(
    connection: &Connection,
    identity: &Identity,
    proof: &str,
    now: Timestamp,
) -> rusqlite::Result<Epoch> {
    let lost = unrolled(proof);
    if !all(connection)?.iter().any(|known| known == lost) {
        insert(connection, lost, now, "of a state that was lost")?;
    }
    let reason = "a client had seen more";
    begin(connection, now, (identity.seed, proof), reason)
}

fn insert(
    connection: &Connection,
    epoch: &str,
    now: Timestamp,
    reason: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO epochs (epoch, begun_at, reason) VALUES (?1, ?2, ?3)",
        (epoch, now.millis(), reason),
    )?;
    Ok(())
}

/// All epochs, the present one last.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT epoch FROM epochs ORDER BY epoch_id")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn key(connection: &Connection) -> rusqlite::Result<hmac::Key> {
    let hex: String = connection.query_row(
        "SELECT value FROM meta WHERE name = 'epoch_key'",
        [],
        |row| row.get(0),
    )?;
    let bytes = HEXLOWER
        .decode(hex.as_bytes())
        .map_err(|_| rows::corrupt("meta.epoch_key"))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn tag(key: &hmac::Key, of: &str) -> String {
    letters(hmac::sign(key, of.as_bytes()).as_ref(), TAG_LETTERS)
}

fn is_tagged(key: &hmac::Key, epoch: &str) -> bool {
    epoch.len() == LETTERS + TAG_LETTERS
        && epoch
            .split_at_checked(LETTERS)
            .is_some_and(|(letters, given)| tag(key, letters) == given)
}

fn letters(random: &[u8], count: usize) -> String {
    random
        .iter()
        .take(count)
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

/// Of all parts, none of which can be taken for another.
fn digest(parts: &[&str]) -> Vec<u8> {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

pub(super) fn mark_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".mark");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roll_of_a_channel_is_told_from_the_epoch() {
        for (of_channel, of_database) in [
            ("abcdefgh1", "abcdefgh1"),
            ("abcdefgh1r2", "abcdefgh1"),
            ("abcdefghijklm", "abcdefghijklm"),
            ("abcdefghijklmr12", "abcdefghijklm"),
            ("abcdefghijklr", "abcdefghijklr"),
            ("r1", "r1"),
            ("", ""),
        ] {
            assert_eq!(unrolled(of_channel), of_database);
        }
    }
}
