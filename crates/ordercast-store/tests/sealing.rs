//! Secrets at rest: what is in the file without the key, and what becomes of a file with another one.

use ordercast_core::{ProjectId, Timestamp, ids::SourceId};
use ordercast_store::{
    Change, CredentialChange, CredentialKind, NewCredential, NewProject, OpenError, Provider,
    Secret, Settings, Store, Submission, Vault,
};
use std::path::Path;

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const KEY: &str = "the key of the tests, 0123456789abcdef";
const OTHER: &str = "another key of tests, 0123456789abcdef";
const JWT_SECRET: &str = "canary-of-the-jwt-secret-0123456789";
const INBOX_SECRET: &str = "canary-of-the-inbox-secret-0123456789";

fn vault(text: &str) -> Vault {
    Vault::new(text).expect("a key")
}

fn sealed(path: &Path, key: &str, before: Option<&str>) -> Result<Store, OpenError> {
    Store::open_sealed(
        path,
        AT,
        42,
        1 << 24,
        (vault(key), before.map(vault)),
        |_| {},
    )
}

async fn submit(store: &Store, change: Change) {
    let submission = Submission {
        change,
        at: AT,
        idempotency: None,
    };
    store.submit(submission).await.expect("committed");
}

/// Two projects with the same secrets; the second got its JWT key later.
async fn fill(store: &Store) {
    for id in [7, 8] {
        let project = ProjectId::new(id).expect("id");
        let source = SourceId::new(&format!("source-{id}")).expect("id");
        let new = NewProject {
            id: Some(project),
            name: "Test".to_owned(),
            settings: Settings::default(),
            credentials: vec![(
                CredentialKind::Rs256,
                "rs256".to_owned(),
                b"public".to_vec(),
            )],
            sources: vec![(source, Provider::Reference, INBOX_SECRET.to_owned())],
            items: Vec::new(),
        };
        submit(store, Change::CreateProject(Box::new(new))).await;
        let key = NewCredential {
            kind: CredentialKind::Hs256,
            name: "hs256".to_owned(),
            label: String::new(),
            kid: None,
            scopes: None,
            value: Secret::new(JWT_SECRET),
            key_set: None,
        };
        let change = CredentialChange::AddKeys {
            project,
            keys: vec![key],
            by: String::new(),
        };
        submit(store, Change::Credentials(Box::new(change))).await;
    }
}

/// How many secrets of each kind can be read.
async fn readable(store: &Store) -> (usize, usize) {
    let (_, credentials, sources) = store.projects().await.expect("read");
    let public = credentials.iter().filter(|c| c.value.expose() == b"public");
    assert_eq!(public.count(), 2, "public keys are not sealed");
    (
        credentials
            .iter()
            .filter(|c| c.value.expose() == JWT_SECRET.as_bytes())
            .count(),
        sources.iter().filter(|s| *s.secret == INBOX_SECRET).count(),
    )
}

/// Whether a secret stands anywhere in the folder: database, log, indexes, free pages.
fn is_in_files(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).expect("folder");
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.expect("file").path()).expect("bytes");
        bytes.windows(6).any(|window| window == b"canary")
    })
}

#[tokio::test]
async fn without_the_key_the_file_tells_no_secret() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let store = sealed(&path, KEY, None).expect("open");
    fill(&store).await;
    assert_eq!(readable(&store).await, (2, 2));
    assert!(!is_in_files(folder.path()), "while it is open");
    drop(store);
    assert!(!is_in_files(folder.path()), "when it is closed");
    assert_eq!(
        readable(&sealed(&path, KEY, None).expect("open")).await,
        (2, 2)
    );

    let id = vault(KEY).id().to_owned();
    assert_eq!(Store::sealed_with(&path).expect("read"), Some(id.clone()));
    for refused in [
        sealed(&path, OTHER, None),
        sealed(&path, OTHER, Some(OTHER)),
        Store::open(&path, AT, 42, |_| {}),
    ] {
        match refused {
            Err(OpenError::SecretsKey { id: wanted, .. }) => assert_eq!(wanted, id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        readable(&sealed(&path, KEY, None).expect("open")).await,
        (2, 2)
    );
}

#[tokio::test]
async fn an_older_file_is_sealed_when_it_is_opened() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    assert_eq!(Store::sealed_with(&path).expect("read"), None);
    let store = Store::open(&path, AT, 42, |_| {}).expect("open");
    fill(&store).await;
    drop(store);
    assert!(is_in_files(folder.path()), "the test sees what there is");
    assert_eq!(Store::sealed_with(&path).expect("read"), None);

    let store = sealed(&path, KEY, None).expect("open");
    assert!(!is_in_files(folder.path()), "nothing stays behind");
    assert_eq!(readable(&store).await, (2, 2));
}

#[tokio::test]
async fn the_key_is_changed_by_naming_the_old_one_once() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let store = sealed(&path, KEY, None).expect("open");
    fill(&store).await;
    drop(store);
    assert_eq!(
        readable(&sealed(&path, OTHER, Some(KEY)).expect("open")).await,
        (2, 2)
    );
    // Left in the configuration it does no harm.
    assert_eq!(
        readable(&sealed(&path, OTHER, Some(KEY)).expect("open")).await,
        (2, 2)
    );
    assert_eq!(
        readable(&sealed(&path, OTHER, None).expect("open")).await,
        (2, 2)
    );
    assert!(matches!(
        sealed(&path, KEY, None),
        Err(OpenError::SecretsKey { .. })
    ));
}

#[tokio::test]
async fn a_secret_that_was_moved_or_bent_is_no_secret() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let store = sealed(&path, KEY, None).expect("open");
    fill(&store).await;
    drop(store);
    let connection = rusqlite::Connection::open(&path).expect("open");
    let sql = "UPDATE credentials SET value = (SELECT value FROM credentials WHERE project_id = 8 AND kind = 'hs256') \
               WHERE project_id = 7 AND kind = 'hs256'; \
               UPDATE sources SET secret = (SELECT secret FROM sources WHERE project_id = 8) WHERE project_id = 7;";
    connection.execute_batch(sql).expect("moved");
    assert_eq!(
        readable(&sealed(&path, KEY, None).expect("open")).await,
        (1, 1)
    );
    // Nor does an empty or a readable one count: a forger could sign with it.
    for forged in ["x''", "CAST('canary-of-the-jwt-secret-0123456789' AS BLOB)"] {
        let sql = format!(
            "UPDATE credentials SET value = {forged} WHERE kind = 'hs256'; UPDATE sources SET secret = ''"
        );
        connection.execute_batch(&sql).expect("forged");
        assert_eq!(
            readable(&sealed(&path, KEY, None).expect("open")).await,
            (0, 0)
        );
    }
}
