//! Nothing of one project or buyer is seen by another (I26), and nobody learns what there is (I27).

use crate::{
    mint::{claims, hmac, sign},
    socket,
    support::{Answer, Fixture, ROOT_KEY, start_default, user_jwt},
};
use jsonwebtoken::Algorithm;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A second project whose every text has the canary in it.
struct Neighbour {
    project: Value,
    api_key: String,
    secret: String,
    order: Value,
    payment_token: String,
    link: String,
}

const CANARY: &str = "canary";

impl Neighbour {
    async fn start(f: &Fixture) -> Self {
        let secret = "secret-of-the-neighbour-0123456789abcdef".to_owned();
        let item = json!({ "sku": "canary-item", "name": "canary", "price": { "amount": "9", "currency": "USD" } });
        let new = json!({ "name": "canary", "hs256_secret": secret, "items": [item] });
        let made = f.post("/v1/projects", ROOT_KEY, &new).await.json();
        let api_key = made["api_key"].as_str().expect("key").to_owned();
        let project = made["project_id"].clone();
        let mut neighbour = Self {
            project,
            api_key,
            secret,
            order: Value::Null,
            payment_token: String::new(),
            link: String::new(),
        };
        let endpoint = json!({ "url": "https://canary.example/", "description": "canary" });
        let path = neighbour.v1("/endpoints");
        let made = f.post(&path, &neighbour.api_key, &endpoint).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let jwt = neighbour.jwt("canary-user");
        let path = format!(
            "/api/v2/project/{}/payment/item/canary-item",
            neighbour.project
        );
        let bought = f.post(&path, &jwt, &json!({})).await.json();
        neighbour.order = bought["order_id"].clone();
        neighbour.payment_token = bought["token"].as_str().expect("token").to_owned();
        let path = neighbour.v1(&format!("/orders/{}", neighbour.order));
        let paid = json!({ "to": "paid", "reason": "canary-reason" });
        f.post(&format!("{path}/transitions"), &neighbour.api_key, &paid)
            .await;
        let link = f
            .post(&format!("{path}/links"), &neighbour.api_key, &json!({}))
            .await;
        neighbour.link = link.json()["token"].as_str().expect("token").to_owned();
        neighbour
    }

    fn v1(&self, rest: &str) -> String {
        format!("/v1/projects/{}{rest}", self.project)
    }

    fn jwt(&self, user: &str) -> String {
        sign(
            &json!({ "alg": "HS256" }),
            &claims(user),
            Algorithm::HS256,
            &hmac(&self.secret),
        )
    }
}

/// An operation of the document, as somebody would ask for it.
#[derive(Clone, Debug)]
struct Operation {
    method: Method,
    path: String,
    /// What the document says may be the answer to a caller who may not.
    refusals: Vec<u16>,
}

/// Every operation of the document that is of a project, with the ids of whoever is asked for.
async fn operations(f: &Fixture, project: &Value, order: &Value) -> Vec<Operation> {
    let document = f.internal("/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (template, item) in paths {
        if !template.contains("{project}") {
            continue;
        }
        let path = template
            .replace("{project}", &project.to_string())
            .replace("{order}", &order.to_string())
            .replace("{sku}", "canary-item")
            .replace("{user}", "canary-user")
            .replace("{currency}", "canary-item")
            .replace("{cart}", "current")
            .replace("{token}", "0")
            .replace("{id}", "1")
            .replace("{endpoint}", "1")
            .replace("{delivery}", "1")
            .replace("{link}", "1")
            .replace("{source}", "src_1")
            .replace("{entry}", "1");
        assert!(
            !path.contains('{'),
            "{path}: what stands for its parameter?"
        );
        for (method, operation) in item.as_object().expect("item") {
            let responses = operation["responses"].as_object().expect("responses");
            let refusals = ["401", "403", "404"]
                .into_iter()
                .filter(|status| responses.contains_key(*status))
                .map(|status| status.parse().expect("status"))
                .collect();
            operations.push(Operation {
                method: method.to_uppercase().parse().expect("method"),
                path: path.clone(),
                refusals,
            });
        }
    }
    assert!(operations.len() > 50, "{}", operations.len());
    operations
}

async fn ask(f: &Fixture, method: &Method, path: &str, credential: &str) -> Answer {
    let authorization = format!("Bearer {credential}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    f.send(method.clone(), path, &headers, "{}").await
}

/// All that was answered but the date and the request's id.
fn bytes(answer: &Answer) -> String {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    format!("{} {headers:?} {}", answer.status, answer.text)
}

async fn credentials(f: &Fixture) -> Vec<(&'static str, String)> {
    let bought = f
        .post(&f.v2("/payment/item/sword"), &user_jwt("alice"), &json!({}))
        .await
        .json();
    let token = bought["token"].as_str().expect("token").to_owned();
    let path = f.v1(&format!("/orders/{}/links", bought["order_id"]));
    let link = f.post(&path, &f.api_key, &json!({})).await.json();
    let link = link["token"].as_str().expect("token").to_owned();
    vec![
        ("API key", f.api_key.clone()),
        ("user", user_jwt("alice")),
        // The same id in another project is another user.
        ("namesake", user_jwt("canary-user")),
        ("payment token", token),
        ("link", link),
        ("nothing known", "oc_api_unknown".to_owned()),
    ]
}

#[tokio::test]
async fn no_credential_opens_another_project() {
    let f = start_default().await;
    let neighbour = Neighbour::start(&f).await;
    for (name, credential) in credentials(&f).await {
        for Operation {
            method,
            path,
            refusals,
        } in operations(&f, &neighbour.project, &neighbour.order).await
        {
            let answer = ask(&f, &method, &path, &credential).await;
            let expected = if name == "API key" && path.starts_with("/v1/") {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::UNAUTHORIZED
            };
            assert_eq!(
                answer.status, expected,
                "{name}: {method} {path} {}",
                answer.text
            );
            assert!(refusals.contains(&expected.as_u16()), "{method} {path}");
            assert!(
                !bytes(&answer).contains(CANARY),
                "{name}: {path} {}",
                answer.text
            );
        }
        let (_, reply) = socket::first_reply(&f, &neighbour.project, &credential).await;
        assert!(reply.contains("109"), "{name}: {reply}");
    }
    // Nor the other way round, and both projects go on.
    for credential in [
        &neighbour.api_key,
        &neighbour.payment_token,
        &neighbour.link,
        &neighbour.jwt("alice"),
    ] {
        let answer = f.get(&f.v2("/order/1"), credential).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let path = neighbour.v1(&format!("/orders/{}", neighbour.order));
    let mine = f.get(&path, &neighbour.api_key).await;
    assert_eq!(
        mine.json()["status"],
        "paid",
        "nothing was changed by those who were refused"
    );
    let keys = f
        .get(&neighbour.v1("/api-keys"), &neighbour.api_key)
        .await
        .json();
    assert_eq!(keys["keys"].as_array().expect("list").len(), 1);
}

#[tokio::test]
async fn there_is_no_telling_whether_a_project_exists() {
    let f = start_default().await;
    let neighbour = Neighbour::start(&f).await;
    let nowhere = json!(4_242);
    for (name, credential) in credentials(&f).await {
        let operations_there = operations(&f, &neighbour.project, &neighbour.order).await;
        let operations_nowhere = operations(&f, &nowhere, &neighbour.order).await;
        for (there, nowhere) in operations_there.iter().zip(&operations_nowhere) {
            let Operation { method, path, .. } = there;
            let there = ask(&f, method, path, &credential).await;
            let nowhere = ask(&f, method, &nowhere.path, &credential).await;
            assert_eq!(bytes(&there), bytes(&nowhere), "{name}: {method} {path}");
        }
        let (_, there) = socket::first_reply(&f, &neighbour.project, &credential).await;
        let (_, nowhere) = socket::first_reply(&f, &nowhere, &credential).await;
        assert_eq!(there, nowhere, "{name}");
    }
    // A bad token and an unknown project are one thing, whatever is wrong with either.
    let bad = ["x", "a.b.c", "oc_link_x", "", &neighbour.jwt("alice")];
    let mut answers = std::collections::HashSet::new();
    for project in [json!(f.project), nowhere, json!(0), json!("x"), json!(-1)] {
        for credential in bad {
            let project = project
                .as_str()
                .map_or(project.to_string(), ToOwned::to_owned);
            let path = format!("/api/v2/project/{project}/order/1");
            answers.insert(bytes(&f.get(&path, credential).await));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn there_is_no_telling_whether_an_order_exists() {
    let f = start_default().await;
    let bobs = f.create_order("bob").await;
    for (name, credential) in credentials(&f).await {
        if name == "API key" || name == "nothing known" {
            continue;
        }
        let mut answers = std::collections::HashSet::new();
        for order in [
            &bobs.to_string(),
            "77",
            "2147483647",
            "0",
            "-1",
            "x",
            "1.0",
            "99999999999",
        ] {
            let answer = f.get(&f.v2(&format!("/order/{order}")), &credential).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name} {order}");
            answers.insert(bytes(&answer));
        }
        assert_eq!(answers.len(), 1, "{name}: {answers:#?}");
    }
}

#[tokio::test]
async fn no_buyer_does_anything_with_the_order_of_another() {
    let f = start_default().await;
    let theirs = json!(f.create_order("canary-user").await);
    let bought = f
        .post(&f.v2("/payment/item/sword"), &user_jwt("alice"), &json!({}))
        .await
        .json();
    let token = bought["token"].as_str().expect("token").to_owned();
    let operations = operations(&f, &json!(f.project), &theirs).await;
    let of_the_order = format!("/{theirs}");
    for credential in [user_jwt("alice"), token] {
        for Operation { method, path, .. } in &operations {
            let is_theirs = path.contains(&of_the_order) || path.starts_with("/v1/");
            if !is_theirs && !path.contains("/admin/") {
                continue;
            }
            let answer = ask(&f, method, path, &credential).await;
            let status = answer.status;
            assert!(
                matches!(status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND),
                "{method} {path}: {status} {}",
                answer.text
            );
            assert!(!bytes(&answer).contains(CANARY), "{path} {}", answer.text);
        }
    }
    let path = f.v1(&format!("/orders/{theirs}"));
    let order = f.get(&path, &f.api_key).await.json();
    assert_eq!(order["version"], 1, "nothing was changed: {order}");
}

#[tokio::test]
async fn on_v1_too_a_buyer_reads_the_own_order_and_cannot_tell_others_from_none() {
    let f = start_default().await;
    let bobs = f.create_order("bob").await;
    let bought = f
        .post(&f.v2("/payment/item/sword"), &user_jwt("alice"), &json!({}))
        .await
        .json();
    let (mine, token) = (
        &bought["order_id"],
        bought["token"].as_str().expect("token"),
    );
    let moved = json!({ "to": "paid", "reason": "for the shop alone" });
    let path = f.v1(&format!("/orders/{mine}/transitions"));
    f.post(&path, &f.api_key, &moved).await;
    for credential in [user_jwt("alice"), token.to_owned()] {
        for rest in ["", "?expand=versions", "/versions"] {
            let path = f.v1(&format!("/orders/{mine}{rest}"));
            let answer = f.get(&path, &credential).await;
            assert_eq!(answer.status, StatusCode::OK, "{path} {}", answer.text);
            for hidden in ["for the shop alone", "reason", "actor", "flags", "api_key"] {
                assert!(!answer.text.contains(hidden), "{path} {}", answer.text);
            }
            let whole = f.get(&path, &f.api_key).await;
            assert!(whole.text.contains("flags") || whole.text.contains("for the shop alone"));
        }
        for rest in ["", "/versions"] {
            let mut answers = std::collections::HashSet::new();
            for order in [&bobs.to_string(), "77", "2147483647", "0", "-1", "x"] {
                let path = f.v1(&format!("/orders/{order}{rest}"));
                let answer = f.get(&path, &credential).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
                answers.insert(bytes(&answer));
            }
            assert_eq!(answers.len(), 1, "{rest}: {answers:#?}");
        }
        for refused in ["/orders", &format!("/orders/{mine}/stream"), "/events"] {
            let answer = f.get(&f.v1(refused), &credential).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{refused}");
        }
    }
    // A link shows less, elsewhere; a narrow key is told which scope it lacks.
    let path = f.v1(&format!("/orders/{mine}"));
    let link = f
        .post(&format!("{path}/links"), &f.api_key, &json!({}))
        .await;
    let link = link.json()["token"].as_str().expect("token").to_owned();
    assert_eq!(f.get(&path, &link).await.status, StatusCode::UNAUTHORIZED);
    let narrow = json!({ "name": "narrow", "scopes": ["events:read"] });
    let narrow = f.post(&f.v1("/api-keys"), &f.api_key, &narrow).await.json();
    let answer = f.get(&path, narrow["key"].as_str().expect("key")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["required_scope"], "orders:read");
}
