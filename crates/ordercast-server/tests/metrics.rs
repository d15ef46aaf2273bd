//! The list of metrics is whole: what the code counts is in it, the page of the documentation is made
//! of it, and a server that has just started shows all of it.

use ordercast_server::telemetry::{METRICS, page};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const REWRITE: &str = "ORDERCAST_WRITE_METRICS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_metric_of_the_code_is_described_and_every_described_one_is_in_the_code() {
    let listed: BTreeSet<String> = METRICS
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect();
    let mut used = BTreeSet::new();
    for part in ["ordercast-core", "ordercast-store", "ordercast-server"] {
        collect(&root().join("crates").join(part).join("src"), &mut used);
    }
    assert_eq!(
        listed.len(),
        METRICS.len(),
        "a name stands twice in the list"
    );
    assert_eq!(
        used.difference(&listed).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(
        listed.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

/// Names of metrics in double quotes, but for those of the list itself.
fn collect(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, used);
        } else if !path.ends_with("telemetry/catalogue.rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let quoted = text.split('"').skip(1).step_by(2);
            let names = quoted.filter(|name| {
                name.starts_with("ordercast_") && !name.contains(['.', ' ', '=', ':'])
            });
            // Filters of log lines and folders begin so too.
            used.extend(
                names
                    .filter(|name| !name.ends_with("_server"))
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn the_page_is_made_of_the_list() {
    let file = root().join("docs/metrics.md");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&file, page()).expect("written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/metrics.md is not what the list says: {REWRITE}=1 cargo test -p ordercast-server --test metrics"
    );
}
