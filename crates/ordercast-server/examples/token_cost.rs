//! What a user's JWT costs: verified, known from before, refused; and whether the time of a refusal
//! tells that a project exists.
//!
//!     cargo run --release -p ordercast-server --example token_cost
//!
//! Prints ratios, which hold on any machine, beside microseconds, which do not.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
    },
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use ordercast_core::ProjectId;
use ordercast_server::{
    auth::{Auth, Rates, jwks::address::Reach},
    clock,
};
use ordercast_store::{Change, CredentialKind, NewProject, Settings, Store, Submission};
use serde_json::{Value, json};
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 2_000;
const SAMPLES: usize = 100_000;
const SECRET: &[u8] = b"a secret that is long enough for HS256";

struct Pair {
    algorithm: Algorithm,
    kind: CredentialKind,
    signing: EncodingKey,
    public: Vec<u8>,
    library: DecodingKey,
}

fn pairs() -> Vec<Pair> {
    let random = SystemRandom::new();
    let pem = |der: &[u8]| {
        let body = data_encoding::BASE64.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").into_bytes()
    };
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let rsa_pem = pem(rsa.public_key().as_der().expect("DER").as_ref());
    let rsa_pkcs8: aws_lc_rs::encoding::Pkcs8V1Der = rsa.as_der().expect("DER");
    let rsa_private = data_encoding::BASE64.encode(rsa_pkcs8.as_ref());
    let rsa_private =
        format!("-----BEGIN PRIVATE KEY-----\n{rsa_private}\n-----END PRIVATE KEY-----\n");
    let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let ec_pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
    let ec = EcdsaKeyPair::from_pkcs8(signing, ec_pkcs8.as_ref()).expect("a key");
    let ed_pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
    let ed = Ed25519KeyPair::from_pkcs8(ed_pkcs8.as_ref()).expect("a key");
    let (ec_point, ed_point) = (ec.public_key().as_ref(), ed.public_key().as_ref());
    vec![
        Pair {
            algorithm: Algorithm::HS256,
            kind: CredentialKind::Hs256,
            signing: EncodingKey::from_secret(SECRET),
            public: SECRET.to_vec(),
            library: DecodingKey::from_secret(SECRET),
        },
        Pair {
            algorithm: Algorithm::RS256,
            kind: CredentialKind::Rs256,
            signing: EncodingKey::from_rsa_pem(rsa_private.as_bytes()).expect("a key"),
            library: DecodingKey::from_rsa_pem(&rsa_pem).expect("a key"),
            public: rsa_pem,
        },
        Pair {
            algorithm: Algorithm::ES256,
            kind: CredentialKind::Es256,
            signing: EncodingKey::from_ec_der(ec_pkcs8.as_ref()),
            public: ec_point.to_vec(),
            library: DecodingKey::from_ec_der(ec_point),
        },
        Pair {
            algorithm: Algorithm::EdDSA,
            kind: CredentialKind::EdDsa,
            signing: EncodingKey::from_ed_der(ed_pkcs8.as_ref()),
            public: ed_point.to_vec(),
            library: DecodingKey::from_ed_der(ed_point),
        },
    ]
}

fn token(pair: &Pair, number: usize) -> String {
    let exp = clock::now().millis() / 1_000 + 600;
    let claims = json!({
        "sub": format!("user-{number}"),
        "exp": exp,
        "iss": "https://login.example.com",
        "email": "buyer@example.com",
        "groups": [{ "id": 1, "name": "default", "is_default": true }],
    });
    encode(&Header::new(pair.algorithm), &claims, &pair.signing).expect("signed")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir().expect("folder");
    let seed = u64::from_le_bytes(clock::random());
    let store = Store::open(&folder.path().join("db"), clock::now(), seed, |_| {}).expect("store");
    let pairs = pairs();
    let project = ProjectId::new(1).expect("id");
    let new = NewProject {
        id: Some(project),
        name: "cost".to_owned(),
        settings: Settings::default(),
        credentials: pairs
            .iter()
            .map(|pair| (pair.kind, "key".to_owned(), pair.public.clone()))
            .collect(),
        sources: Vec::new(),
        items: Vec::new(),
    };
    let submission = Submission {
        change: Change::CreateProject(Box::new(new)),
        at: clock::now(),
        idempotency: None,
    };
    store.submit(submission).await.expect("stored");
    let auth = Auth::new(store, "root", Reach::Public, Rates::UNLIMITED, 16 << 20)
        .await
        .expect("auth");

    println!("              first     known     ratio   library's decode");
    for pair in &pairs {
        let tokens: Vec<_> = (0..ROUNDS).map(|number| token(pair, number)).collect();
        let first = verify_all(&auth, project, &tokens).await;
        let known = verify_all(&auth, project, &tokens).await;
        let mut rules = Validation::new(pair.algorithm);
        rules.validate_aud = false;
        let started = Instant::now();
        for token in &tokens {
            black_box(decode::<Value>(token, &pair.library, &rules).expect("accepted"));
        }
        let library = per_round(started, ROUNDS);
        println!(
            "{:6?} {first:9.2} us {known:6.2} us {:7.1}x {library:9.2} us",
            pair.algorithm,
            first / known
        );
    }

    println!("\nrefusals, known against unknown project: Welch's t (|t| < 4.5: no telling)");
    let nobody = ProjectId::new(4_242).expect("id");
    for pair in &pairs {
        let mut bad = token(pair, 0);
        // Another signature of the same length.
        let middle = bad.len() - 20;
        let letter = if bad.as_bytes()[middle] == b'A' {
            "B"
        } else {
            "A"
        };
        bad.replace_range(middle..=middle, letter);
        let (mut there, mut nowhere) = (Moments::default(), Moments::default());
        for round in 0..SAMPLES * 2 {
            let (of, into) = if round % 2 == 0 {
                (project, &mut there)
            } else {
                (nobody, &mut nowhere)
            };
            let started = Instant::now();
            black_box(auth.buyer(of, &bad).await.expect_err("refused"));
            into.add(started.elapsed().as_nanos() as f64 / 1_000.0);
        }
        println!(
            "{:6?} {:8.2} us {:8.2} us   t = {:.1}",
            pair.algorithm,
            there.mean,
            nowhere.mean,
            there.welch(&nowhere)
        );
    }
}

async fn verify_all(auth: &Auth, project: ProjectId, tokens: &[String]) -> f64 {
    let started = Instant::now();
    for token in tokens {
        black_box(auth.buyer(project, token).await.expect("accepted"));
    }
    per_round(started, tokens.len())
}

fn per_round(started: Instant, rounds: usize) -> f64 {
    started.elapsed().as_nanos() as f64 / 1_000.0 / rounds as f64
}

/// Mean and variance as samples come. Those above the cut are the scheduler's, not ours.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, sample: f64) {
        if self.count > 1_000.0 && sample > self.mean * 3.0 {
            return;
        }
        self.count += 1.0;
        let from_mean = sample - self.mean;
        self.mean += from_mean / self.count;
        self.squares += from_mean * (sample - self.mean);
    }

    fn welch(&self, other: &Self) -> f64 {
        let error = |of: &Self| of.squares / (of.count - 1.0) / of.count;
        (self.mean - other.mean) / (error(self) + error(other)).sqrt()
    }
}
