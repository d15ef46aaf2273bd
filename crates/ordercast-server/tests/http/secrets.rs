//! The key of the secrets in the database: made once, kept apart, missed when it is gone.

use crate::support::{JWT_SECRET, start_default, try_serve, user_jwt};
use ordercast_server::{DATABASE, SecretsKeyError, StartError};
use reqwest::StatusCode;

#[tokio::test]
async fn the_key_is_made_beside_the_database_and_missed_when_it_is_gone() {
    let mut f = start_default().await;
    let folder = f.folder().to_owned();
    let file = folder.join("secrets.key");
    let key = std::fs::read_to_string(&file).expect("a key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    f.restart().await;
    let answer = f.get(&f.v2("/order/1"), &user_jwt("alice")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "the JWT is accepted");
    let database = std::fs::read(folder.join(DATABASE)).expect("database");
    let secret = JWT_SECRET.as_bytes();
    assert!(!database.windows(secret.len()).any(|bytes| bytes == secret));

    f.stop().await;
    std::fs::remove_file(&file).expect("removed");
    let refused = try_serve(&folder).await.map(|_| ());
    match refused {
        Err(StartError::SecretsKey(SecretsKeyError::Missing { file: wanted, .. })) => {
            assert_eq!(wanted, file);
        }
        other => panic!("{other:?}"),
    }
    assert!(!file.exists(), "no other key is made in its place");
    std::fs::write(&file, "another key that is long enough to be one").expect("written");
    let refused = try_serve(&folder).await.map(|_| ());
    assert!(refused.is_err_and(|error| error.to_string().contains("another key")));
    std::fs::write(&file, key).expect("put back");
    f.start_again().await;
    let answer = f.get(&f.v2("/order/1"), &user_jwt("alice")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
