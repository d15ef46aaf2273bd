//! Secrets that the server makes for itself and keeps in the data folder.

use crate::{clock, config::Config};
use ordercast_store::{OpenError, Store, Vault, VaultError};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Reads the secret in `path`, or makes one that only the owner may read.
pub fn read_or_create(path: &Path, prefix: &str) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(secret) if secret.trim().len() >= 32 => return Ok(secret.trim().to_owned()),
        Ok(_) => {
            let message = format!(
                "{} holds no key; remove it to have one made",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let secret = clock::secret(prefix);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    Ok(secret)
}

/// In the data folder, beside the database.
const SECRETS_KEY: &str = "secrets.key";

/// Why there is no key for the secrets in the database.
#[derive(Debug, thiserror::Error)]
pub enum SecretsKeyError {
    #[error("cannot read the key of the secrets: {0}")]
    File(#[from] io::Error),
    #[error("the key of the secrets {0}")]
    Key(#[from] VaultError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "the key of the secrets in {database} is missing (id {id}): put {file} back from the backup, or give secrets_key"
    )]
    Missing {
        database: PathBuf,
        file: PathBuf,
        id: String,
    },
    #[error(
        "the secrets in {database} are sealed with another key (id {id}) than those that are given: put the right one into secrets_key or its file"
    )]
    Other { database: PathBuf, id: String },
}

/// The key that secrets are sealed with, and the one until now where it is being changed.
pub fn vaults(config: &Config, database: &Path) -> Result<(Vault, Option<Vault>), SecretsKeyError> {
    let file = config.data_dir.join(SECRETS_KEY);
    let key = match &config.secrets_key {
        Some(key) => key.clone(),
        None => {
            // A new key for secrets that another one has sealed would only hide what is wrong.
            if !file.exists()
                && let Some(id) = Store::sealed_with(database)?
            {
                return Err(SecretsKeyError::Missing {
                    database: database.to_owned(),
                    file,
                    id,
                });
            }
            read_or_create(&file, "oc_secrets_")?
        }
    };
    // Changing from the file to a setting needs no second setting.
    let before = match &config.secrets_key_before {
        Some(before) => Some(before.clone()),
        None if config.secrets_key.is_some() && file.exists() => {
            Some(read_or_create(&file, "oc_secrets_")?)
        }
        None => None,
    };
    let before = before.map(|before| Vault::new(&before)).transpose()?;
    Ok((Vault::new(&key)?, before))
}

/// Whether [`vaults`] would find the key that the database is sealed with. Makes no file.
///
/// # Errors
/// What a start would end with.
pub fn check(config: &Config, database: &Path) -> Result<(), SecretsKeyError> {
    let file = config.data_dir.join(SECRETS_KEY);
    let Some(id) = Store::sealed_with(database)? else {
        return Ok(());
    };
    let read = |file: &Path| fs::read_to_string(file).map(|key| key.trim().to_owned());
    let mut keys = Vec::new();
    keys.extend(config.secrets_key.clone());
    keys.extend(config.secrets_key_before.clone());
    if file.exists() {
        keys.push(read(&file)?);
    }
    let database = database.to_owned();
    if keys.is_empty() {
        return Err(SecretsKeyError::Missing { database, file, id });
    }
    for key in keys {
        if Vault::new(&key)?.id() == id {
            return Ok(());
        }
    }
    Err(SecretsKeyError::Other { database, id })
}
