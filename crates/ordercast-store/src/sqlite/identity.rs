//! Which database this is, and whether it still holds everything that clients have seen of it.
//!
//! The epoch is the identity followed by the generation. Beside the file stands a mark of the newest
//! publication that was committed, and in which generation. A database that is behind its mark was put
//! back to an older state: its next offsets would name other publications than before, so it gets a
//! generation that neither has had, and clients start over (guarantees, I9). The mark cannot tell when
//! both files were put back together; `ordercast restore` gives a new identity in any case.

use super::{OpenError, rows};
use ordercast_core::{Timestamp, channel::Epoch};
use rusqlite::Connection;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Digits of a number in the mark: a fixed width, so that each write replaces the last.
const DIGITS: usize = 20;

/// The newest publication that was committed, in a file beside the database.
#[derive(Debug)]
pub(super) struct HighWater {
    file: File,
    identity: String,
    generation: i64,
}

impl HighWater {
    /// Not synced: after a crash of the machine the mark may be lower than the log, which is safe.
    pub(super) fn raise(&mut self, position: i64) {
        let Self {
            identity,
            generation,
            ..
        } = self;
        let line = format!("{identity} {position:0DIGITS$} {generation:0DIGITS$}\n");
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "the mark of the newest publication could not be written");
        }
    }
}

/// Reads the database's identity, or gives it one, and compares it with its mark.
pub(super) fn establish(
    connection: &Connection,
    path: &Path,
    now: Timestamp,
    seed: u64,
) -> Result<(Epoch, HighWater), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let mark = mark_path(path);
    let io = |source| OpenError::Io {
        path: mark.clone(),
        source,
    };
    let insert = "INSERT OR IGNORE INTO meta (name, value) VALUES (?1, ?2)";
    connection
        .execute(insert, ("identity", new_identity(now, seed)))
        .map_err(sqlite)?;
    connection
        .execute(insert, ("generation", "1"))
        .map_err(sqlite)?;
    let position: i64 = connection
        .query_row(
            "SELECT coalesce(max(position), 0) FROM publications",
            [],
            |row| row.get(0),
        )
        .map_err(sqlite)?;
    let (identity, generation) = read(connection).map_err(sqlite)?;

    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&mark)
        .map_err(io)?;
    let mut text = String::new();
    // What is not ours says nothing.
    let _ = file.read_to_string(&mut text);
    // The generation first: the same copy, put back again, must not get the epoch that it got before.
    let mut generation = generation;
    if let Some((seen, seen_in)) = seen(&text, &identity)
        && (seen_in.unwrap_or(generation), seen) > (generation, position)
    {
        tracing::warn!(
            database = %path.display(),
            "the database is older than what clients have seen of it: it begins a new epoch"
        );
        generation = generation.max(seen_in.unwrap_or(generation)) + 1;
        connection
            .execute(
                "UPDATE meta SET value = ?1 WHERE name = 'generation'",
                [generation.to_string()],
            )
            .map_err(sqlite)?;
    }
    let epoch = Epoch::new(&format!("{identity}{generation}"))
        .ok_or_else(|| sqlite(rows::corrupt("meta.identity")))?;
    let mut high_water = HighWater {
        file,
        identity,
        generation,
    };
    high_water.raise(position);
    Ok((epoch, high_water))
}

/// Position and generation that the mark tells of the database with this identity. Marks of earlier
/// versions have no generation.
fn seen(mark: &str, identity: &str) -> Option<(i64, Option<i64>)> {
    let mut words = mark.split_whitespace();
    if words.next() != Some(identity) {
        return None;
    }
    let position = words.next()?.parse().ok()?;
    Some((position, words.next().and_then(|word| word.parse().ok())))
}

/// A database that begins anew on the rows of another: nothing that clients know of the other may be
/// believed of it.
pub(super) fn renew(connection: &Connection, now: Timestamp, seed: u64) -> rusqlite::Result<()> {
    let update = "UPDATE meta SET value = ?2 WHERE name = ?1";
    connection.execute(update, ("identity", new_identity(now, seed)))?;
    connection.execute(update, ("generation", "1"))?;
    Ok(())
}

pub(super) fn mark_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".mark");
    PathBuf::from(name)
}

fn read(connection: &Connection) -> rusqlite::Result<(String, i64)> {
    let value = |name: &str| {
        connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
            row.get::<_, String>(0)
        })
    };
    let generation = value("generation")?
        .parse()
        .map_err(|_| rows::corrupt("meta.generation"))?;
    Ok((value("identity")?, generation))
}

/// Eight letters: 26^8 databases.
fn new_identity(now: Timestamp, seed: u64) -> String {
    let mut mixed = seed ^ now.millis().unsigned_abs().rotate_left(32);
    (0..8)
        .map(|_| {
            let letter = b'a' + u8::try_from(mixed % 26).unwrap_or(0);
            mixed /= 26;
            char::from(letter)
        })
        .collect()
}
