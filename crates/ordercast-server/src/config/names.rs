//! Names of settings: a misspelt key or variable is refused with the nearest name that exists,
//! because a setting that is silently ignored is found out only when it would have mattered.

use super::{Config, ConfigError};
use confique::{
    Config as _,
    meta::{Field, FieldKind},
};
use std::{ffi::OsString, path::Path};

const PREFIX: &str = "ORDERCAST_";

/// Variables beside the settings' own: those of the commands' options, and those that the project's
/// tests use. A test of the binary compares the first ones with the options.
pub const OTHER_VARIABLES: &[&str] = &[
    "ORDERCAST_API_KEY",
    "ORDERCAST_CONFIG",
    "ORDERCAST_JWT_SECRET",
    "ORDERCAST_LISTEN_SECRET",
    "ORDERCAST_LOG",
    "ORDERCAST_LOG_FORMAT",
    "ORDERCAST_SOURCE_SECRET",
    "ORDERCAST_TOKEN",
    // Where the binary is, the seed of a random test, and which snapshot to write.
    "ORDERCAST_BIN",
    "ORDERCAST_SEED",
    "ORDERCAST_WRITE_METRICS",
    "ORDERCAST_WRITE_OPENAPI",
];

/// Less alike than this is no misspelling (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

pub(super) fn fields() -> &'static [Field] {
    Config::META.fields
}

/// The variable of a setting.
pub(super) const fn variable(field: &Field) -> Option<&'static str> {
    match field.kind {
        FieldKind::Leaf { env, .. } => env,
        FieldKind::Nested { .. } => None,
    }
}

/// # Errors
/// [`ConfigError::UnknownKey`] for the first key of a configuration file that is no setting.
pub(super) fn check_keys(table: &toml::Table, file: &Path) -> Result<(), ConfigError> {
    let is_known = |key: &str| fields().iter().any(|field| field.name == key);
    match table.keys().find(|key| !is_known(key)) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            file: file.to_owned(),
            key: key.clone(),
            hint: hint(key, fields().iter().map(|field| field.name)),
        }),
    }
}

/// # Errors
/// [`ConfigError::UnknownVariable`] for the first variable that begins as ours do and is none.
pub(super) fn check_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let known = || {
        let settings = fields().iter().filter_map(variable);
        settings.chain(OTHER_VARIABLES.iter().copied())
    };
    let ours = variables.filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        (name.starts_with(PREFIX) && !is_of_kubernetes(&name, &value)).then_some(name)
    });
    let mut unknown: Vec<String> = ours.filter(|name| known().all(|it| it != name)).collect();
    // The environment has no order; the same start must give the same error.
    unknown.sort_unstable();
    match unknown.into_iter().next() {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownVariable {
            hint: hint(&name, known()),
            name,
        }),
    }
}

/// Kubernetes gives every container variables of the services around it, so a service called
/// `ordercast` makes `ORDERCAST_SERVICE_HOST`, `ORDERCAST_PORT`, `ORDERCAST_PORT_8080_TCP_ADDR`
/// (Kubernetes documentation, "Connecting applications with services", environment variables).
fn is_of_kubernetes(name: &str, value: &OsString) -> bool {
    let is_service = name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let is_link = name.ends_with("_PORT")
        && value.to_str().is_some_and(|value| {
            ["tcp://", "udp://", "sctp://"]
                .iter()
                .any(|scheme| value.starts_with(scheme))
        });
    let is_port = name
        .split("_PORT_")
        .nth(1)
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    is_service || is_link || is_port
}

/// What to write instead, in brackets behind an error; empty when nothing is near.
fn hint(wrong: &str, known: impl Iterator<Item = &'static str>) -> String {
    let alike = |name: &&str| {
        strsim::jaro_winkler(
            &wrong.to_ascii_lowercase().replace('-', "_"),
            &name.to_ascii_lowercase(),
        )
    };
    let nearest = known
        .map(|name| (alike(&name), name))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((likeness, name)) if likeness >= ALIKE => format!("did you mean {name}?"),
        _ => "`ordercast config` prints every setting".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)]) -> Result<(), String> {
        let variables = variables.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        check_variables(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_the_nearest_name() {
        let error = check(&[("ORDERCAST_LISTN", "1")]).expect_err("unknown");
        assert!(error.contains("ORDERCAST_LISTN"), "{error}");
        assert!(error.contains("did you mean ORDERCAST_LISTEN?"), "{error}");
    }

    #[test]
    fn variables_of_settings_options_and_other_programs_pass() {
        check(&[
            ("ORDERCAST_LISTEN", "127.0.0.1:1"),
            ("ORDERCAST_TOKEN", "t"),
            ("PATH", "/bin"),
        ])
        .expect("known");
    }

    #[test]
    fn variables_that_kubernetes_makes_of_a_service_pass() {
        check(&[
            ("ORDERCAST_SERVICE_HOST", "10.0.0.1"),
            ("ORDERCAST_SERVICE_PORT_HTTP", "8080"),
            ("ORDERCAST_PORT", "tcp://10.0.0.1:8080"),
            ("ORDERCAST_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("ORDERCAST_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ])
        .expect("not ours");
    }

    #[test]
    fn a_key_that_is_no_setting_is_refused_wherever_it_stands() {
        for (text, name) in [
            ("ping_second = 20", "did you mean ping_seconds?"),
            ("[server]\nlisten = '127.0.0.1:1'", "server"),
        ] {
            let table = text.parse().expect("TOML");
            let error = check_keys(&table, Path::new("x.toml")).expect_err("unknown");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
