//! Keys and order tokens through the store's public surface, on a real file.

use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    access::Scopes,
    ids::CredentialId,
    order::{Actor, Cause, Content, Mode},
};
use ordercast_store::{
    Change, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily, KeySet, NewCredential,
    NewOrder, NewProject, Outcome, Secret, Settings, Store, Submission, TokenEnd, TokenKind,
    TokenRules,
    credentials::{API_KEYS_MAX, ORDER_TOKENS_MAX},
};
use std::{path::Path, time::Duration};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn open(path: &Path) -> Store {
    Store::open(path, AT, 42, |_| {}).expect("open")
}

async fn submit_at(store: &Store, at: Timestamp, change: Change) -> Outcome {
    let submission = Submission {
        change,
        at,
        idempotency: None,
    };
    store.submit(submission).await.expect("committed")
}

async fn submit(store: &Store, change: CredentialChange) -> Outcome {
    submit_at(store, AT, Change::Credentials(Box::new(change))).await
}

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn order() -> OrderId {
    OrderId::new(10).expect("id")
}

async fn with_order(path: &Path) -> Store {
    let store = open(path);
    let new = NewProject {
        id: Some(project()),
        name: "Test".to_owned(),
        settings: Settings::default(),
        credentials: vec![(
            CredentialKind::ApiKey,
            "first".to_owned(),
            b"hash of the first".to_vec(),
        )],
        sources: Vec::new(),
        items: Vec::new(),
    };
    submit_at(&store, AT, Change::CreateProject(Box::new(new))).await;
    let new = NewOrder {
        project: project(),
        id: Some(order()),
        user: UserId::new("alice").expect("id"),
        mode: Mode::Default,
        content: Content::default(),
        lifetime: Some(HOUR),
        token_hash: Some([1; 32]),
        cause: Cause {
            actor: Actor::ApiKey("test".to_owned()),
            reason: String::new(),
            at: AT,
        },
    };
    submit_at(&store, AT, Change::CreateOrder(Box::new(new))).await;
    store
}

fn key(kind: CredentialKind, kid: Option<&str>, value: &[u8]) -> NewCredential {
    NewCredential {
        kind,
        name: "name".to_owned(),
        label: "label".to_owned(),
        kid: kid.map(ToOwned::to_owned),
        scopes: (kind == CredentialKind::ApiKey).then_some(Scopes::All),
        value: Secret::new(value),
        key_set: None,
    }
}

fn add(keys: Vec<NewCredential>) -> CredentialChange {
    CredentialChange::AddKeys {
        project: project(),
        keys,
        by: "first".to_owned(),
    }
}

fn end(id: CredentialId, family: KeyFamily) -> CredentialChange {
    CredentialChange::EndKey {
        project: project(),
        id,
        family,
    }
}

fn added(outcome: &Outcome) -> Vec<CredentialId> {
    match outcome {
        Outcome::Credentials(CredentialOutcome::Keys(keys)) => {
            keys.iter().map(|key| key.id).collect()
        }
        other => panic!("not added: {other:?}"),
    }
}

const DONE: Outcome = Outcome::Credentials(CredentialOutcome::Done);

#[tokio::test]
async fn an_ended_key_is_listed_without_its_secret_and_counts_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_order(&folder.path().join("db")).await;
    let made = submit(
        &store,
        add(vec![key(CredentialKind::Hs256, Some("a"), b"s3cret")]),
    )
    .await;
    let id = added(&made)[0];
    assert_eq!(store.projects().await.expect("read").1.len(), 2);

    // Of the other list, of nobody, and twice: not found.
    assert_eq!(
        submit(&store, end(id, KeyFamily::Api)).await,
        Outcome::NotFound
    );
    let nobody = CredentialId::new(999).expect("id");
    assert_eq!(
        submit(&store, end(nobody, KeyFamily::Jwt)).await,
        Outcome::NotFound
    );
    assert_eq!(submit(&store, end(id, KeyFamily::Jwt)).await, DONE);
    assert_eq!(
        submit(&store, end(id, KeyFamily::Jwt)).await,
        Outcome::NotFound
    );

    assert_eq!(store.projects().await.expect("read").1.len(), 1);
    let listed = store
        .credentials(project(), KeyFamily::Jwt)
        .await
        .expect("read");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].ended_at, listed[0].value.expose()),
        (Some(AT), &b""[..])
    );
}

#[tokio::test]
async fn kids_are_unique_among_live_keys_of_one_algorithm() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_order(&folder.path().join("db")).await;
    let rs256 = || key(CredentialKind::Rs256, Some("k"), b"one");
    let first = added(&submit(&store, add(vec![rs256()])).await)[0];
    assert_eq!(submit(&store, add(vec![rs256()])).await, Outcome::Exists);
    // The whole request is refused, not its second half.
    let pair = vec![key(CredentialKind::EdDsa, None, b"x"), rs256()];
    assert_eq!(submit(&store, add(pair)).await, Outcome::Exists);
    let twins = vec![
        key(CredentialKind::EdDsa, Some("t"), b"x"),
        key(CredentialKind::EdDsa, Some("t"), b"y"),
    ];
    assert_eq!(submit(&store, add(twins)).await, Outcome::Exists);
    assert_eq!(
        store
            .credentials(project(), KeyFamily::Jwt)
            .await
            .expect("read")
            .len(),
        1
    );
    added(
        &submit(
            &store,
            add(vec![key(CredentialKind::Es256, Some("k"), b"x")]),
        )
        .await,
    );
    submit(&store, end(first, KeyFamily::Jwt)).await;
    added(&submit(&store, add(vec![rs256()])).await);
}

#[tokio::test]
async fn keys_of_a_project_are_bounded() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_order(&folder.path().join("db")).await;
    // One came with the project.
    for number in 1..API_KEYS_MAX {
        let value = number.to_be_bytes();
        added(&submit(&store, add(vec![key(CredentialKind::ApiKey, None, &value)])).await);
    }
    let over = submit(
        &store,
        add(vec![key(CredentialKind::ApiKey, None, b"over")]),
    )
    .await;
    let limit = API_KEYS_MAX;
    assert_eq!(
        over,
        Outcome::Credentials(CredentialOutcome::TooMany { limit })
    );
    // The other list has room still.
    added(&submit(&store, add(vec![key(CredentialKind::Hs256, None, b"x")])).await);
    let of_nobody = CredentialChange::AddKeys {
        project: ProjectId::new(8).expect("id"),
        keys: vec![key(CredentialKind::Hs256, None, b"x")],
        by: String::new(),
    };
    assert_eq!(submit(&store, of_nobody).await, Outcome::NotFound);
}

#[tokio::test]
async fn key_sets_and_rules_survive_a_restart() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let store = with_order(&path).await;
    let mut new = key(CredentialKind::JwksUrl, None, b"https://idp.example/jwks");
    new.key_set = Some("first".to_owned());
    let credential = added(&submit(&store, add(vec![new])).await)[0];
    let set = |body: &str| KeySet {
        credential,
        body: body.to_owned(),
        fetched_at: AT,
    };
    assert_eq!(store.token_rules().await.expect("read").1, [set("first")]);
    let nobodys = KeySet {
        credential: CredentialId::new(999).expect("id"),
        ..set("x")
    };
    submit(
        &store,
        CredentialChange::KeepKeySets(vec![set("second"), nobodys]),
    )
    .await;
    let rules = TokenRules {
        user_claim: "external_account_id".to_owned(),
        audiences: vec!["a".to_owned()],
        issuers: Vec::new(),
    };
    let change = CredentialChange::SetTokenRules {
        project: project(),
        rules: rules.clone(),
    };
    assert_eq!(submit(&store, change).await, DONE);
    drop(store);

    let store = open(&path);
    let read = store.token_rules().await.expect("read");
    assert_eq!(read, (vec![(project(), rules)], vec![set("second")]));
    submit(&store, end(credential, KeyFamily::Jwt)).await;
    submit(&store, CredentialChange::KeepKeySets(vec![set("late")])).await;
    assert_eq!(store.token_rules().await.expect("read").1, []);
}

fn issue(kind: TokenKind, end: TokenEnd) -> CredentialChange {
    CredentialChange::IssueToken {
        project: project(),
        order: order(),
        kind,
        hash: [2; 32],
        end,
        by: "first".to_owned(),
    }
}

#[tokio::test]
async fn tokens_end_after_the_orders_life() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_order(&folder.path().join("db")).await;
    let late = AT.plus(5 * HOUR);
    for (at, end, expected) in [
        (AT, TokenEnd::After(HOUR), AT.plus(HOUR)),
        (AT, TokenEnd::AfterOrder(HOUR), AT.plus(2 * HOUR)),
        (late, TokenEnd::AfterOrder(HOUR), late.plus(HOUR)),
    ] {
        let change = Change::Credentials(Box::new(issue(TokenKind::Payment, end)));
        let Outcome::Credentials(CredentialOutcome::Token(token)) =
            submit_at(&store, at, change).await
        else {
            panic!("not issued")
        };
        assert_eq!(token.expires_at, expected);
        let (found, of) = store
            .order_token(token.id)
            .await
            .expect("read")
            .expect("there");
        assert_eq!((found, of.order.id), (token, order()));
    }
}

#[tokio::test]
async fn tokens_are_bounded_and_end() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_order(&folder.path().join("db")).await;
    for _ in 0..ORDER_TOKENS_MAX {
        let made = submit(&store, issue(TokenKind::Link, TokenEnd::After(HOUR))).await;
        assert!(matches!(
            made,
            Outcome::Credentials(CredentialOutcome::Token(_))
        ));
    }
    let over = submit(&store, issue(TokenKind::Link, TokenEnd::After(HOUR))).await;
    let limit = ORDER_TOKENS_MAX;
    assert_eq!(
        over,
        Outcome::Credentials(CredentialOutcome::TooMany { limit })
    );
    // Those that are over count no more.
    let later = Change::Credentials(Box::new(issue(TokenKind::Link, TokenEnd::After(HOUR))));
    let made = submit_at(&store, AT.plus(2 * HOUR), later).await;
    assert!(matches!(
        made,
        Outcome::Credentials(CredentialOutcome::Token(_))
    ));

    let order_key = store
        .order(project(), order())
        .await
        .expect("read")
        .expect("there")
        .order_key;
    let id = store
        .order_tokens(order_key, TokenKind::Link)
        .await
        .expect("read")[0]
        .id;
    let end = |kind, id| CredentialChange::EndToken {
        project: project(),
        order: order(),
        kind,
        id,
    };
    assert_eq!(
        submit(&store, end(TokenKind::Payment, Some(id))).await,
        Outcome::NotFound
    );
    assert_eq!(submit(&store, end(TokenKind::Link, Some(id))).await, DONE);
    assert_eq!(
        submit(&store, end(TokenKind::Link, Some(id))).await,
        Outcome::NotFound
    );
    let (token, _) = store.order_token(id).await.expect("read").expect("there");
    assert_eq!((token.ended_at, token.hash), (Some(AT), Vec::new()));

    // The token that the order was made with.
    assert_eq!(
        submit(&store, end(TokenKind::Link, None)).await,
        Outcome::NotFound
    );
    assert_eq!(submit(&store, end(TokenKind::Payment, None)).await, DONE);
    assert_eq!(
        submit(&store, end(TokenKind::Payment, None)).await,
        Outcome::NotFound
    );
    let found = store
        .order(project(), order())
        .await
        .expect("read")
        .expect("there");
    assert_eq!(found.token_hash, None);
}

/// A database of the first schema, with the keys that its projects had.
#[tokio::test]
async fn keys_of_the_first_schema_keep_working() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let old = rusqlite::Connection::open(&path).expect("open");
    old.execute_batch(include_str!("../src/sqlite/migrations/001_orders.sql"))
        .expect("schema");
    old.execute_batch(
        "PRAGMA application_id = 0x4F435354; PRAGMA user_version = 1;
         INSERT INTO projects VALUES (7, 'Test', '{}', 0);
         INSERT INTO credentials VALUES (3, 7, 'api_key', 'oc_api_a', x'01', 5),
                                        (4, 7, 'hs256', 'hs256', x'02', 6);",
    )
    .expect("rows");
    drop(old);
    let store = open(&path);
    let (_, mut keys, _) = store.projects().await.expect("read");
    keys.sort_by_key(|key| key.id);
    let seen: Vec<_> = keys
        .iter()
        .map(|key| {
            (
                key.id.get(),
                key.kind,
                key.kid.as_deref(),
                key.scopes,
                key.value.expose(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (3, CredentialKind::ApiKey, None, Some(Scopes::All), &[1][..]),
            (4, CredentialKind::Hs256, None, None, &[2][..]),
        ]
    );
}
