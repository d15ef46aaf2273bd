//! Secrets in rows: sealed on the way in, opened on the way out.

use super::{OpenError, rows::corrupt};
use crate::{Secret, Vault};
use data_encoding::BASE64;
use ordercast_core::{
    ProjectId,
    ids::{CredentialId, EndpointId},
};
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// Which key the rows of this database are sealed with.
const META: &str = "secrets_key";

/// Without a vault rows hold secrets as they are.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    vault: Option<Vault>,
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_credential(project: ProjectId, id: CredentialId) -> String {
    format!("credentials/{project}/{id}")
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_source(project: ProjectId, source: &str) -> String {
    format!("sources/{project}/{source}")
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_source_before(project: ProjectId, source: &str) -> String {
    format!("sources/{project}/{source}/before")
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_source_api_key(project: ProjectId, source: &str) -> String {
    format!("sources/{project}/{source}/api_key")
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_endpoint_secret(endpoint: EndpointId, secret: i64) -> String {
    format!("endpoint_secrets/{endpoint}/{secret}")
}

/// The name of a row, which a sealed value is bound to.
pub(super) fn of_endpoint_headers(endpoint: EndpointId) -> String {
    format!("endpoints/{endpoint}/headers")
}

impl Secrets {
    pub(super) fn seal(&self, row: &str, plain: &[u8]) -> rusqlite::Result<Vec<u8>> {
        match &self.vault {
            None => Ok(plain.to_vec()),
            Some(vault) => vault
                .seal(row, plain)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }

    pub(super) fn seal_text(&self, row: &str, plain: &str) -> rusqlite::Result<String> {
        match &self.vault {
            None => Ok(plain.to_owned()),
            Some(_) => Ok(BASE64.encode(&self.seal(row, plain.as_bytes())?)),
        }
    }

    /// `None`: it cannot be opened, and whatever needs it must not be used.
    pub(super) fn open(&self, row: &str, stored: Vec<u8>) -> Option<Secret> {
        let opened = match &self.vault {
            None => Some(Secret::new(stored)),
            Some(vault) => vault.open(row, &stored),
        };
        if opened.is_none() {
            tracing::error!(
                row,
                "a secret cannot be opened: the row was changed by somebody else"
            );
        }
        opened
    }

    pub(super) fn open_text(&self, row: &str, stored: String) -> Option<String> {
        if self.vault.is_none() {
            return Some(stored);
        }
        let sealed = BASE64.decode(stored.as_bytes()).unwrap_or_default();
        let opened = self.open(row, sealed)?;
        String::from_utf8(opened.expose().to_vec()).ok()
    }

    /// Makes all rows be sealed with `current`: those that are not yet, and those that are with
    /// `before`.
    pub(super) fn adopt(
        connection: &mut Connection,
        path: &Path,
        current: Option<Vault>,
        before: Option<Vault>,
    ) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let found = sealed_with(connection).map_err(sqlite)?;
        let wanted = current.as_ref().map(|vault| vault.id().to_owned());
        let new = Self { vault: current };
        if found == wanted {
            return Ok(new);
        }
        let old = match (&found, before) {
            (None, _) => Self::default(),
            (Some(id), Some(vault)) if vault.id() == id && wanted.is_some() => {
                Self { vault: Some(vault) }
            }
            (Some(id), _) => {
                return Err(OpenError::SecretsKey {
                    path: path.to_owned(),
                    id: id.clone(),
                });
            }
        };
        seal_anew(connection, &old, &new).map_err(sqlite)?;
        tracing::info!(key = wanted, before = found, "secrets are sealed");
        Ok(new)
    }
}

/// The id of the key that the rows are sealed with.
pub(super) fn sealed_with(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [META], |row| {
            row.get(0)
        })
        .optional()
}

fn seal_anew(connection: &mut Connection, old: &Secrets, new: &Secrets) -> rusqlite::Result<()> {
    // What was readable must not stay behind in free pages, nor in the log.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction()?;
    let lost = || corrupt("a sealed secret");
    let credentials: Vec<(i64, i64, Vec<u8>)> = transaction
        .prepare(
            "SELECT credential_id, project_id, value FROM credentials \
             WHERE kind = 'hs256' AND ended_at IS NULL",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, project, value) in credentials {
        let row = format!("credentials/{project}/{id}");
        let plain = old.open(&row, value).ok_or_else(lost)?;
        transaction.execute(
            "UPDATE credentials SET value = ?2 WHERE credential_id = ?1",
            (id, new.seal(&row, plain.expose())?),
        )?;
    }
    for (column, suffix) in [
        ("secret", ""),
        ("secret_before", "/before"),
        ("api_key", "/api_key"),
    ] {
        let sources: Vec<(String, i64, String)> = transaction
            .prepare(&format!(
                "SELECT source, project_id, {column} FROM sources \
                 WHERE {column} IS NOT NULL AND ended_at IS NULL"
            ))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (source, project, secret) in sources {
            let row = format!("sources/{project}/{source}{suffix}");
            let plain = old.open_text(&row, secret).ok_or_else(lost)?;
            transaction.execute(
                &format!("UPDATE sources SET {column} = ?2 WHERE source = ?1"),
                (&source, new.seal_text(&row, &plain)?),
            )?;
        }
    }
    let endpoints: Vec<(i64, i64, Vec<u8>)> = transaction
        .prepare(
            "SELECT secret_id, endpoint_id, value FROM endpoint_secrets WHERE length(value) > 0",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, endpoint, value) in endpoints {
        let row = format!("endpoint_secrets/{endpoint}/{id}");
        let plain = old.open(&row, value).ok_or_else(lost)?;
        transaction.execute(
            "UPDATE endpoint_secrets SET value = ?2 WHERE secret_id = ?1",
            (id, new.seal(&row, plain.expose())?),
        )?;
    }
    let headers: Vec<(i64, Vec<u8>)> = transaction
        .prepare("SELECT endpoint_id, headers FROM endpoints WHERE headers IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (endpoint, sealed) in headers {
        let row = format!("endpoints/{endpoint}/headers");
        let plain = old.open(&row, sealed).ok_or_else(lost)?;
        transaction.execute(
            "UPDATE endpoints SET headers = ?2 WHERE endpoint_id = ?1",
            (endpoint, new.seal(&row, plain.expose())?),
        )?;
    }
    if let Some(vault) = &new.vault {
        transaction.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
            (META, vault.id()),
        )?;
    }
    transaction.commit()?;
    connection.pragma_update(None, "secure_delete", false)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
