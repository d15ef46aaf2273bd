//! Who may do what, as one table over every principal, action and object.

use ordercast_core::{
    OrderId, ProjectId, UserId,
    access::{Action, Denied, Object, Principal, Scope, Scopes, authorize, authorize_grant},
};
use proptest::prelude::*;
use std::fmt::Write;

/// Every variant once. Written as a chain, so that a new variant does not compile until it has its
/// place here.
fn chain<T: Copy>(first: T, next: impl Fn(T) -> Option<T>) -> Vec<T> {
    std::iter::successors(Some(first), |item| next(*item)).collect()
}

fn actions() -> Vec<Action> {
    chain(Action::CreateProject, |action| match action {
        Action::CreateProject => Some(Action::ReadProject),
        Action::ReadProject => Some(Action::ChangeProject),
        Action::ChangeProject => Some(Action::WriteCatalogue),
        Action::WriteCatalogue => Some(Action::CreateOrder),
        Action::CreateOrder => Some(Action::BuyItem),
        Action::BuyItem => Some(Action::ReadOrder),
        Action::ReadOrder => Some(Action::ChangeOrder),
        Action::ChangeOrder => Some(Action::ReadEvents),
        Action::ReadEvents => Some(Action::AcknowledgeEvents),
        Action::AcknowledgeEvents => Some(Action::ManageWebhooks),
        Action::ManageWebhooks => Some(Action::Track),
        Action::Track => Some(Action::IssueTokens),
        Action::IssueTokens => Some(Action::ManageKeys),
        Action::ManageKeys => Some(Action::WriteBalances),
        Action::WriteBalances => None,
    })
}

fn scopes() -> Vec<Scope> {
    chain(Scope::OrdersRead, |scope| match scope {
        Scope::OrdersRead => Some(Scope::OrdersWrite),
        Scope::OrdersWrite => Some(Scope::TokensWrite),
        Scope::TokensWrite => Some(Scope::CatalogueWrite),
        Scope::CatalogueWrite => Some(Scope::EventsRead),
        Scope::EventsRead => Some(Scope::WebhooksWrite),
        Scope::WebhooksWrite => Some(Scope::KeysWrite),
        Scope::KeysWrite => None,
    })
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Root,
    Project(Scopes),
    User,
    Guest,
    PaymentToken,
    Link,
}

/// A principal of a role. The other way round, so that a new principal does not compile either.
fn role(principal: &Principal) -> Role {
    match principal {
        Principal::Root => Role::Root,
        Principal::Project { scopes, .. } => Role::Project(*scopes),
        Principal::User { .. } => Role::User,
        Principal::Guest { .. } => Role::Guest,
        Principal::PaymentToken { .. } => Role::PaymentToken,
        Principal::Link { .. } => Role::Link,
    }
}

fn roles() -> Vec<(String, Role)> {
    let mut roles = vec![
        ("root".to_owned(), Role::Root),
        ("API key, *".to_owned(), Role::Project(Scopes::All)),
    ];
    for scope in scopes() {
        let only = Scopes::parse([scope.as_str()]).expect("a scope");
        roles.push((format!("API key, {scope}"), Role::Project(only)));
    }
    roles.extend([
        ("user".to_owned(), Role::User),
        ("guest".to_owned(), Role::Guest),
        ("payment token".to_owned(), Role::PaymentToken),
        ("link".to_owned(), Role::Link),
    ]);
    roles
}

fn project(id: i64) -> ProjectId {
    ProjectId::new(id).expect("id")
}

fn order(id: i64) -> OrderId {
    OrderId::new(id).expect("id")
}

fn user(id: &str) -> UserId {
    UserId::new(id).expect("id")
}

fn principal(role: Role, project: ProjectId, user: UserId, order: OrderId) -> Principal {
    match role {
        Role::Root => Principal::Root,
        Role::Project(scopes) => Principal::Project { project, scopes },
        Role::User => Principal::User { project, user },
        Role::Guest => Principal::Guest { project, user },
        Role::PaymentToken => Principal::PaymentToken {
            project,
            user,
            order,
        },
        Role::Link => Principal::Link {
            project,
            user,
            order,
        },
    }
}

#[test]
fn who_may_do_what() {
    let (mine, theirs) = (project(1), project(2));
    let (alice, bob) = (user("alice"), user("bob"));
    // Of project 1, user alice, order 10.
    let objects = [
        ("server", Object::Server),
        ("project", Object::Project(mine)),
        ("user", Object::User(mine, &alice)),
        ("order", Object::Order(mine, &alice, order(10))),
        ("order 11", Object::Order(mine, &alice, order(11))),
        ("bob", Object::User(mine, &bob)),
        ("bob's order", Object::Order(mine, &bob, order(12))),
        ("project 2", Object::Project(theirs)),
        ("alice of 2", Object::User(theirs, &alice)),
        ("order of 2", Object::Order(theirs, &alice, order(10))),
    ];
    let mut table = String::from("yes, 403: not for this role, scope: not for this key, .: 404\n");
    for (name, of) in roles() {
        let caller = principal(of, mine, alice.clone(), order(10));
        assert_eq!(
            std::mem::discriminant(&role(&caller)),
            std::mem::discriminant(&of)
        );
        write!(table, "\n{name:24}").expect("text");
        for (object, _) in objects {
            write!(table, "{object:>12}").expect("text");
        }
        table.push('\n');
        for action in actions() {
            write!(table, "  {:22}", format!("{action:?}")).expect("text");
            for (_, object) in objects {
                let cell = match authorize(&caller, action, object) {
                    Ok(()) => "yes",
                    Err(Denied::Forbidden) => "403",
                    Err(Denied::MissingScope(_)) => "scope",
                    Err(Denied::Hidden) => ".",
                };
                write!(table, "{cell:>12}").expect("text");
            }
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn nobody_grants_more_than_they_have() {
    for (name, of) in roles() {
        let caller = principal(of, project(1), user("alice"), order(10));
        for scope in scopes() {
            let wanted = Scopes::parse([scope.as_str()]).expect("a scope");
            let expected = match of {
                Role::Root => Ok(()),
                Role::Project(held) if held.contain(scope) => Ok(()),
                Role::Project(_) => Err(Denied::MissingScope(scope)),
                _ => Err(Denied::Forbidden),
            };
            assert_eq!(authorize_grant(&caller, wanted), expected, "{name} {scope}");
        }
        let may_grant_all = matches!(of, Role::Root | Role::Project(Scopes::All));
        assert_eq!(
            authorize_grant(&caller, Scopes::All).is_ok(),
            may_grant_all,
            "{name}"
        );
    }
    // All that there are today is not all that there will be.
    let names = scopes().into_iter().map(Scope::as_str);
    let every = Role::Project(Scopes::parse(names).expect("scopes"));
    let caller = principal(every, project(1), user("alice"), order(10));
    assert_eq!(
        authorize_grant(&caller, Scopes::All),
        Err(Denied::Forbidden)
    );
}

#[test]
fn scopes_have_one_text_form() {
    for good in ["*", "orders:read", "orders:read orders:write keys:write"] {
        assert_eq!(good.parse::<Scopes>().expect(good).to_string(), good);
    }
    assert_eq!(
        Scopes::parse(["keys:write", "orders:read", "keys:write"])
            .expect("scopes")
            .names(),
        ["orders:read", "keys:write"]
    );
    for bad in [
        "",
        " ",
        "orders",
        "ORDERS:READ",
        "* orders:read",
        "orders:read *",
    ] {
        assert!(bad.parse::<Scopes>().is_err(), "{bad:?}");
    }
    assert_eq!(Scope::ALL.to_vec(), scopes());
}

proptest! {
    /// I26: whatever the ids, nobody but the operator acts on another project, and no buyer on
    /// another buyer.
    #[test]
    fn nobody_reaches_over(
        of in prop::sample::select(roles()).prop_map(|(_, role)| role),
        action in prop::sample::select(actions()),
        ids in ((1..4_i64), "[a-c]", (1..4_i64)),
        others in ((1..4_i64), "[a-c]", (1..4_i64)),
    ) {
        let caller = principal(of, project(ids.0), user(&ids.1), order(ids.2));
        let whom = user(&others.1);
        let objects = [
            Object::Project(project(others.0)),
            Object::User(project(others.0), &whom),
            Object::Order(project(others.0), &whom, order(others.2)),
        ];
        for object in objects {
            let is_foreign = match (of, object) {
                (Role::Root, _) | (_, Object::Server) => false,
                (_, Object::Project(of)) => of != project(ids.0),
                (Role::Project(_), Object::User(of, _) | Object::Order(of, _, _)) => {
                    of != project(ids.0)
                }
                (_, Object::User(of, whom)) => of != project(ids.0) || *whom != user(&ids.1),
                (Role::PaymentToken | Role::Link, Object::Order(of, whom, which)) => {
                    of != project(ids.0) || *whom != user(&ids.1) || which != order(ids.2)
                }
                (_, Object::Order(of, whom, _)) => {
                    of != project(ids.0) || *whom != user(&ids.1)
                }
            };
            if is_foreign {
                prop_assert_eq!(authorize(&caller, action, object), Err(Denied::Hidden));
            }
        }
    }
}
