//! Which layer each setting comes from: `ordercast config show --origin`.

use super::{Config, ConfigError, Layered, Partial, names, read_file};
use confique::Layer;
use std::{fmt, path::Path};

/// Settings whose values are never printed.
const SECRETS: [&str; 3] = ["root_key", "secrets_key", "secrets_key_before"];

/// Where the value of a setting comes from, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag,
    /// Its variable's name.
    Variable(&'static str),
    /// The file's name.
    File(String),
    Default,
    /// Nobody sets it, and it has no default.
    Unset,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// One setting as a server would use it.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: &'static str,
    /// As TOML; `None` when it is not set. Of secrets a placeholder.
    pub value: Option<String>,
    pub origin: Origin,
}

impl Config {
    /// Every setting in the order of the reference, with where its value comes from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn explain(flags: Partial, file: Option<&Path>) -> Result<Vec<Setting>, ConfigError> {
        let tables = [
            table(&flags)?,
            table(&Partial::from_env()?)?,
            file.map(read_file)
                .transpose()?
                .map_or_else(|| Ok(toml::Table::new()), |layer| table(&layer))?,
            table(&Partial::default_values())?,
        ];
        // Checked as a server would, so that what is shown is what would run.
        Self::load(flags, file)?;
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        let settings = names::fields().iter().map(|field| {
            let found = tables
                .iter()
                .enumerate()
                .find_map(|(layer, table)| Some((layer, table.get(field.name)?)));
            let origin = match (found.map(|(layer, _)| layer), names::variable(field)) {
                (Some(0), _) => Origin::Flag,
                (Some(1), Some(name)) => Origin::Variable(name),
                (Some(2), _) => Origin::File(file.clone()),
                (Some(_), _) => Origin::Default,
                (None, _) => Origin::Unset,
            };
            let value = found.map(|(_, value)| {
                if SECRETS.contains(&field.name) {
                    "(a secret)".to_owned()
                } else {
                    value.to_string()
                }
            });
            Setting {
                name: field.name,
                value,
                origin,
            }
        });
        Ok(settings.collect())
    }
}

fn table(layer: &<Config as Layered>::Layer) -> Result<toml::Table, ConfigError> {
    toml::Table::try_from(layer).map_err(|error| ConfigError::Show(error.to_string()))
}
