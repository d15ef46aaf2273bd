//! Tokens byte by byte, and keys to sign them with.

use crate::support::unix_now;
use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

pub const RSA_PRIVATE_PEM: &str = include_str!("rs256-test.pem");
pub const RSA_PUBLIC_PEM: &str = include_str!("rs256-test.pub.pem");

/// A pair of an asymmetric algorithm.
pub struct Pair {
    pub signing: EncodingKey,
    pub public_pem: String,
    /// For EC the uncompressed point, for Ed25519 the key.
    pub point: Vec<u8>,
}

pub fn p256() -> Pair {
    let random = SystemRandom::new();
    let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref()).expect("a key");
    let der = pair.public_key().as_der().expect("DER");
    Pair {
        signing: EncodingKey::from_ec_der(pkcs8.as_ref()),
        public_pem: armour(der.as_ref()),
        point: pair.public_key().as_ref().to_vec(),
    }
}

pub fn ed25519() -> Pair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
    let point = pair.public_key().as_ref().to_vec();
    Pair {
        signing: EncodingKey::from_ed_der(pkcs8.as_ref()),
        public_pem: armour(&ed25519_der(&point)),
        point,
    }
}

pub fn ed25519_der(point: &[u8]) -> Vec<u8> {
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    [&head, point].concat()
}

pub fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA_PRIVATE_PEM.as_bytes()).expect("a key")
}

pub fn hmac(secret: impl AsRef<[u8]>) -> EncodingKey {
    EncodingKey::from_secret(secret.as_ref())
}

pub fn armour(der: &[u8]) -> String {
    let body = BASE64.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// A JWK of a pair.
pub fn jwk(algorithm: &str, kid: &str, pair: &Pair) -> Value {
    match algorithm {
        "ES256" => json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": b64(&pair.point[1..33]), "y": b64(&pair.point[33..]),
        }),
        _ => json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
            "x": b64(&pair.point),
        }),
    }
}

/// Signs what it is given, whatever that is.
pub fn sign_raw(
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    algorithm: Algorithm,
    key: &EncodingKey,
) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("signed");
    format!("{message}.{signature}")
}

pub fn sign(header: &Value, claims: &Value, algorithm: Algorithm, key: &EncodingKey) -> String {
    sign_raw(header.to_string(), claims.to_string(), algorithm, key)
}

pub fn claims(user: &str) -> Value {
    json!({ "sub": user, "exp": unix_now() + 600 })
}

/// `base` with `changes` over it; `null` takes a member away.
pub fn with(base: &Value, changes: Value) -> Value {
    let mut changed = base.clone();
    let members = changed.as_object_mut().expect("an object");
    let Value::Object(changes) = changes else {
        panic!("not an object")
    };
    for (name, value) in changes {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    changed
}
