//! Settings as an operator writes them: what is misspelt is refused, what is in force is shown.

use std::process::{Command, Output};

fn ordercast(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordercast"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORDERCAST_")) {
        command.env_remove(name);
    }
    command.args(args).envs(variables.iter().copied());
    command.output().expect("runs")
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), text).expect("written");
    file
}

/// What `serve`, `config check` and `doctor` say to a configuration that cannot be used.
fn refused(text: &str, variables: &[(&str, &str)], wanted: &str) {
    let file = file(text);
    let path = file.path().to_str().expect("path");
    for command in [
        vec!["serve", "--config", path],
        vec!["config", "check", "--config", path],
        vec!["config", "show", "--config", path],
        vec!["doctor", "--config", path],
    ] {
        let output = ordercast(&command, variables);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success(), "{command:?}: {said}");
        assert!(said.contains(wanted), "{command:?}: {said}");
    }
}

#[test]
fn a_key_that_is_no_setting_is_refused_by_every_command_with_the_nearest_name() {
    refused("ping_second = 20", &[], "did you mean ping_seconds?");
    refused(
        "[server]\nlisten = '127.0.0.1:1'",
        &[],
        "there is no setting server",
    );
}

#[test]
fn a_variable_that_is_no_setting_is_refused_with_the_nearest_name() {
    let wrong = [("ORDERCAST_TRUSTED_PROXY", "10.0.0.0/8")];
    refused("", &wrong, "did you mean ORDERCAST_TRUSTED_PROXIES?");
}

#[test]
fn a_value_of_the_wrong_type_names_file_and_setting() {
    refused("ping_seconds = 'often'", &[], "ping_seconds");
    refused("ping_seconds = 20\nping_seconds = 21", &[], "ping_seconds");
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from_and_without_secrets() {
    let secret = "a-root-key-that-nobody-may-see-0123456789";
    let file = file(&format!("ping_seconds = 20\nroot_key = '{secret}'"));
    let path = file.path().to_str().expect("path");
    let output = ordercast(
        &["config", "show", "--origin", "--config", path],
        &[("ORDERCAST_DRAIN_SECONDS", "7")],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let line = |name: &str| {
        let begin = format!("{name} ");
        let found = said.lines().find(|line| line.starts_with(&begin));
        found
            .unwrap_or_else(|| panic!("no {name}: {said}"))
            .to_owned()
    };
    assert!(line("ping_seconds").contains("= 20"), "{said}");
    assert!(line("ping_seconds").contains("# file"), "{said}");
    let drain = line("drain_seconds");
    assert!(
        drain.contains("= 7") && drain.contains("ORDERCAST_DRAIN_SECONDS"),
        "{said}"
    );
    assert!(line("listen").ends_with("# default"), "{said}");
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn the_reference_is_itself_a_configuration_that_can_be_used() {
    let reference = ordercast(&["config"], &[]);
    let file = file(&String::from_utf8_lossy(&reference.stdout));
    let path = file.path().to_str().expect("path");
    let output = ordercast(&["config", "check", "--config", path], &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
