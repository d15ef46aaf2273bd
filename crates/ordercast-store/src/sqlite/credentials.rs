//! Rows of keys, and what changes them and tokens.

use super::{
    order_tokens,
    rows::{self, corrupt, json},
    secrets::{Secrets, of_credential},
};
use crate::{
    Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily, KeySet,
    NewCredential, Outcome, Secret, TokenRules,
    credentials::{API_KEYS_MAX, JWT_KEYS_MAX},
};
use ordercast_core::{ProjectId, Timestamp, ids::CredentialId};
use rusqlite::{Connection, OptionalExtension, Row, params};

const LISTED_MAX: u32 = 200;

pub(super) fn apply(
    connection: &Connection,
    secrets: &Secrets,
    change: &CredentialChange,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    match change {
        CredentialChange::AddKeys { project, keys, by } => {
            add_keys((connection, secrets), *project, keys, by, at)
        }
        CredentialChange::EndKey {
            project,
            id,
            family,
        } => end_key(connection, *project, *id, *family, at),
        CredentialChange::SetTokenRules { project, rules } => {
            set_rules(connection, *project, rules)
        }
        CredentialChange::KeepKeySets(sets) => {
            for set in sets {
                keep_key_set(connection, set)?;
            }
            Ok(done())
        }
        CredentialChange::KeysUsed(used) => {
            for (id, at) in used {
                connection
                    .prepare_cached(
                        "UPDATE credentials SET last_used_at = max(coalesce(last_used_at, 0), ?2) \
                         WHERE credential_id = ?1",
                    )?
                    .execute((id.get(), at.millis()))?;
            }
            Ok(done())
        }
        CredentialChange::IssueToken {
            project,
            order,
            kind,
            hash,
            end,
            by,
        } => order_tokens::issue(connection, (*project, *order), *kind, hash, *end, (by, at)),
        CredentialChange::EndToken {
            project,
            order,
            kind,
            id,
        } => order_tokens::end(connection, (*project, *order), *kind, *id, at),
    }
}

const fn done() -> Outcome {
    Outcome::Credentials(CredentialOutcome::Done)
}

const fn too_many(limit: u32) -> Outcome {
    Outcome::Credentials(CredentialOutcome::TooMany { limit })
}

fn has_project(connection: &Connection, project: ProjectId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM projects WHERE project_id = ?1")?
        .exists([project.get()])
}

fn add_keys(
    (connection, secrets): (&Connection, &Secrets),
    project: ProjectId,
    keys: &[NewCredential],
    by: &str,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if !has_project(connection, project)? {
        return Ok(Outcome::NotFound);
    }
    for family in [KeyFamily::Api, KeyFamily::Jwt] {
        let added = keys
            .iter()
            .filter(|key| key.kind.family() == family)
            .count();
        let limit = match family {
            KeyFamily::Api => API_KEYS_MAX,
            KeyFamily::Jwt => JWT_KEYS_MAX,
        };
        let live = live_keys(connection, project, family)?;
        if added > 0 && live + u32::try_from(added).unwrap_or(u32::MAX) > limit {
            return Ok(too_many(limit));
        }
    }
    // Looked for before the first is written: the batch has other changes in its transaction.
    for (index, key) in keys.iter().enumerate() {
        let is_twin = |other: &NewCredential| {
            key.kid.is_some() && other.kind == key.kind && other.kid == key.kid
        };
        if keys[..index].iter().any(is_twin) || has_kid(connection, project, key)? {
            return Ok(Outcome::Exists);
        }
    }
    let mut added = Vec::with_capacity(keys.len());
    for key in keys {
        let credential = insert((connection, secrets), project, key, by, at)?;
        if let Some(body) = &key.key_set {
            let set = KeySet {
                credential: credential.id,
                body: body.clone(),
                fetched_at: at,
            };
            keep_key_set(connection, &set)?;
        }
        added.push(credential);
    }
    Ok(Outcome::Credentials(CredentialOutcome::Keys(added)))
}

fn live_keys(
    connection: &Connection,
    project: ProjectId,
    family: KeyFamily,
) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM credentials \
             WHERE project_id = ?1 AND (kind = 'api_key') = ?2 AND ended_at IS NULL",
        )?
        .query_row((project.get(), family == KeyFamily::Api), |row| row.get(0))
}

fn has_kid(
    connection: &Connection,
    project: ProjectId,
    key: &NewCredential,
) -> rusqlite::Result<bool> {
    let Some(kid) = &key.kid else {
        return Ok(false);
    };
    connection
        .prepare_cached(
            "SELECT 1 FROM credentials \
             WHERE project_id = ?1 AND kind = ?2 AND kid = ?3 AND ended_at IS NULL",
        )?
        .exists((project.get(), key.kind.as_str(), kid))
}

/// Without checks: for a project's first keys, and for [`add_keys`] that made them.
pub(super) fn insert(
    (connection, secrets): (&Connection, &Secrets),
    project: ProjectId,
    key: &NewCredential,
    by: &str,
    at: Timestamp,
) -> rusqlite::Result<Credential> {
    // Known beforehand, because a sealed value is bound to its row. Rows are never deleted.
    let id = connection
        .prepare_cached(
            "SELECT max(coalesce(max(credential_id), 0), coalesce(( \
             SELECT last FROM key_floors WHERE name = 'credentials'), 0)) + 1 FROM credentials",
        )?
        .query_row([], |row| credential_id(row.get(0)?))?;
    let value = match key.kind {
        CredentialKind::Hs256 => secrets.seal(&of_credential(project, id), key.value.expose())?,
        // Hashes, public keys, addresses.
        _ => key.value.expose().to_vec(),
    };
    connection
        .prepare_cached(
            "INSERT INTO credentials (credential_id, project_id, kind, name, label, kid, scopes, \
             value, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id.get(),
            project.get(),
            key.kind.as_str(),
            key.name,
            key.label,
            key.kid,
            key.scopes
                .map_or_else(String::new, |scopes| scopes.to_string()),
            value,
            at.millis(),
            by,
        ])?;
    Ok(Credential {
        id,
        project,
        kind: key.kind,
        name: key.name.clone(),
        label: key.label.clone(),
        kid: key.kid.clone(),
        scopes: key.scopes,
        value: key.value.clone(),
        created_at: at,
        created_by: by.to_owned(),
        last_used_at: None,
        ended_at: None,
    })
}

fn end_key(
    connection: &Connection,
    project: ProjectId,
    id: CredentialId,
    family: KeyFamily,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let ended = connection
        .prepare_cached(
            "UPDATE credentials SET ended_at = ?4, value = x'' WHERE project_id = ?1 \
             AND credential_id = ?2 AND (kind = 'api_key') = ?3 AND ended_at IS NULL",
        )?
        .execute((
            project.get(),
            id.get(),
            family == KeyFamily::Api,
            at.millis(),
        ))?;
    if ended == 0 {
        return Ok(Outcome::NotFound);
    }
    connection
        .prepare_cached("DELETE FROM key_sets WHERE credential_id = ?1")?
        .execute([id.get()])?;
    Ok(done())
}

fn set_rules(
    connection: &Connection,
    project: ProjectId,
    rules: &TokenRules,
) -> rusqlite::Result<Outcome> {
    if !has_project(connection, project)? {
        return Ok(Outcome::NotFound);
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO token_rules (project_id, user_claim, audiences, issuers) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            project.get(),
            &rules.user_claim,
            json(&rules.audiences)?,
            json(&rules.issuers)?,
        ))?;
    Ok(done())
}

fn keep_key_set(connection: &Connection, set: &KeySet) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO key_sets (credential_id, body, fetched_at) \
             SELECT credential_id, ?2, ?3 FROM credentials \
             WHERE credential_id = ?1 AND ended_at IS NULL",
        )?
        .execute((set.credential.get(), &set.body, set.fetched_at.millis()))?;
    Ok(())
}

const CREDENTIAL: &str = "SELECT credential_id, project_id, kind, name, label, kid, scopes, value, \
     created_at, created_by, last_used_at, ended_at FROM credentials";

/// Those that count, of all projects.
pub(super) fn live(
    connection: &Connection,
    secrets: &Secrets,
) -> rusqlite::Result<Vec<Credential>> {
    connection
        .prepare_cached(&format!(
            "{CREDENTIAL} WHERE ended_at IS NULL ORDER BY credential_id"
        ))?
        .query_map([], |row| credential(row, secrets))?
        .collect()
}

pub(crate) fn of_project(
    connection: &Connection,
    secrets: &Secrets,
    project: ProjectId,
    family: KeyFamily,
) -> rusqlite::Result<Vec<Credential>> {
    connection
        .prepare_cached(&format!(
            "{CREDENTIAL} WHERE project_id = ?1 AND (kind = 'api_key') = ?2 \
             ORDER BY ended_at IS NOT NULL, credential_id DESC LIMIT ?3"
        ))?
        .query_map(
            (project.get(), family == KeyFamily::Api, LISTED_MAX),
            |row| credential(row, secrets),
        )?
        .collect()
}

fn credential(row: &Row, secrets: &Secrets) -> rusqlite::Result<Credential> {
    let kind: String = row.get(2)?;
    let kind = CredentialKind::parse(&kind).ok_or_else(|| corrupt("credentials.kind"))?;
    let scopes: String = row.get(6)?;
    let scopes = match kind.family() {
        KeyFamily::Jwt => None,
        KeyFamily::Api => Some(scopes.parse().map_err(|_| corrupt("credentials.scopes"))?),
    };
    let (id, project) = (credential_id(row.get(0)?)?, rows::project_id(row.get(1)?)?);
    let ended_at = row.get::<_, Option<i64>>(11)?.map(Timestamp::from_millis);
    let value: Vec<u8> = row.get(7)?;
    let value = match kind {
        // What cannot be opened is empty, and no key is.
        CredentialKind::Hs256 if ended_at.is_none() => secrets
            .open(&of_credential(project, id), value)
            .unwrap_or_default(),
        _ => Secret::new(value),
    };
    Ok(Credential {
        id,
        project,
        kind,
        name: row.get(3)?,
        label: row.get(4)?,
        kid: row.get(5)?,
        scopes,
        value,
        created_at: Timestamp::from_millis(row.get(8)?),
        created_by: row.get(9)?,
        last_used_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
        ended_at,
    })
}

/// Those of one project that count.
pub(super) fn live_of(
    connection: &Connection,
    secrets: &Secrets,
    project: ProjectId,
) -> rusqlite::Result<Vec<Credential>> {
    connection
        .prepare_cached(&format!(
            "{CREDENTIAL} WHERE project_id = ?1 AND ended_at IS NULL ORDER BY credential_id"
        ))?
        .query_map([project.get()], |row| credential(row, secrets))?
        .collect()
}

const RULES: &str = "SELECT project_id, user_claim, audiences, issuers FROM token_rules";

pub(crate) fn rules(connection: &Connection) -> rusqlite::Result<Vec<(ProjectId, TokenRules)>> {
    connection
        .prepare_cached(RULES)?
        .query_map([], rules_row)?
        .collect()
}

pub(super) fn rules_of(
    connection: &Connection,
    project: ProjectId,
) -> rusqlite::Result<Option<TokenRules>> {
    connection
        .prepare_cached(&format!("{RULES} WHERE project_id = ?1"))?
        .query_row([project.get()], |row| {
            rules_row(row).map(|(_, rules)| rules)
        })
        .optional()
}

fn rules_row(row: &Row) -> rusqlite::Result<(ProjectId, TokenRules)> {
    let list = |text: String| {
        serde_json::from_str::<Vec<String>>(&text).map_err(|_| corrupt("token_rules"))
    };
    let rules = TokenRules {
        user_claim: row.get(1)?,
        audiences: list(row.get(2)?)?,
        issuers: list(row.get(3)?)?,
    };
    Ok((rows::project_id(row.get(0)?)?, rules))
}

const KEY_SETS: &str = "SELECT credential_id, body, fetched_at FROM key_sets";

pub(crate) fn key_sets(connection: &Connection) -> rusqlite::Result<Vec<KeySet>> {
    connection
        .prepare_cached(KEY_SETS)?
        .query_map([], key_set)?
        .collect()
}

pub(super) fn key_sets_of(
    connection: &Connection,
    project: ProjectId,
) -> rusqlite::Result<Vec<KeySet>> {
    connection
        .prepare_cached(&format!(
            "{KEY_SETS} WHERE credential_id IN (SELECT credential_id FROM credentials \
             WHERE project_id = ?1 AND ended_at IS NULL)"
        ))?
        .query_map([project.get()], key_set)?
        .collect()
}

fn key_set(row: &Row) -> rusqlite::Result<KeySet> {
    Ok(KeySet {
        credential: credential_id(row.get(0)?)?,
        body: row.get(1)?,
        fetched_at: Timestamp::from_millis(row.get(2)?),
    })
}

fn credential_id(value: i64) -> rusqlite::Result<CredentialId> {
    CredentialId::new(value).map_err(|_| corrupt("credential_id"))
}
