//! Secrets that the server makes for itself and keeps in the data folder.

use crate::clock;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
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
