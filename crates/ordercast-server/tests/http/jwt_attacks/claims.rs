//! What the claims say, under a right signature.

use super::*;

pub fn ambiguous(target: &Target) -> Attacks {
    let key = hmac(JWT_SECRET);
    let plain = r#"{"alg":"HS256"}"#;
    let exp = unix_now() + 600;
    let rest = format!(r#""exp":{exp},"aud":"shop","iss":"https://idp.example""#);
    let claims = claims_of_alice().to_string();
    let mut attacks = Attacks::new();
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
        r#"{"alg":"HS256","x":{"a":1,"a":2}}"#,
        r#"{"alg":"HS256"} {}"#,
        r#"{"alg":"HS256"}x"#,
        r#"{"alg":"HS256",}"#,
        r#"["HS256"]"#,
        r#""HS256""#,
        "",
        "\u{feff}{\"alg\":\"HS256\"}",
    ] {
        let token = sign_raw(header, &claims, Algorithm::HS256, &key);
        attacks.push(named(format!("header {header:?}"), token));
    }
    for payload in [
        format!(r#"{{"sub":"bob","sub":"alice",{rest}}}"#),
        format!(r#"{{"sub":"alice","sub":"alice",{rest}}}"#),
        format!(r#"{{"sub":"alice","s\u0075b":"bob",{rest}}}"#),
        format!(r#"{{"sub":"alice","exp":1,{rest}}}"#),
        format!(r#"{{"sub":"alice","aud":"other",{rest}}}"#),
        format!(r#"{{"sub":"alice","x":1,"x":2,{rest}}}"#),
        format!(r#"{{"sub":"alice","x":[{{"y":1,"y":2}}],{rest}}}"#),
        format!(r#"{{"sub":"alice",{rest}}}{{}}"#),
        format!(r#"{{"sub":"alice",{rest}"#),
        format!(r#"[{{"sub":"alice",{rest}}}]"#),
        format!(
            r#"{{"sub":"alice","deep":{}{},{rest}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        ),
        String::new(),
        "null".to_owned(),
    ] {
        let token = sign_raw(plain, &payload, Algorithm::HS256, &key);
        attacks.push(named(format!("claims {payload:.60}"), token));
    }
    let mut bytes = claims.clone().into_bytes();
    let at = claims.find("alice").expect("alice");
    bytes[at] = 0xff;
    attacks.push(named(
        "claims that are not UTF-8",
        sign_raw(plain, bytes, Algorithm::HS256, &key),
    ));
    let utf16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_be_bytes).collect();
    attacks.push(named(
        "claims in UTF-16",
        sign_raw(plain, utf16, Algorithm::HS256, &key),
    ));
    attacks.push(named(
        "too long",
        target.claiming(json!({ "padding": "x".repeat(8_192) })),
    ));
    attacks
}

pub fn times(target: &Target) -> Attacks {
    let now = i64::try_from(unix_now()).expect("time");
    let mut attacks = Attacks::new();
    for (exp, said) in [
        (json!(null), "missing"),
        (json!(now - 31), "over, and the skew too"),
        (json!(0), "zero"),
        (json!(-1), "negative"),
        (json!(i64::MIN), "least"),
        (json!(now + 24 * 3600 + 90), "more than a day ahead"),
        (json!(now + 604_800), "a week ahead"),
        (json!(i64::MAX), "greatest"),
        (json!(u64::MAX), "greater than that"),
        (json!(1e300), "huge"),
        (json!(now as f64 - 30.5), "over by a fraction"),
        (json!((now + 600).to_string()), "text"),
        (json!("2099-01-01T00:00:00Z"), "a date"),
        (json!(true), "a boolean"),
        (json!([now + 600]), "a list"),
        (json!({ "exp": now + 600 }), "an object"),
        (json!((now + 600) * 1_000), "milliseconds"),
    ] {
        attacks.push(named(
            format!("exp {said}"),
            target.claiming(json!({ "exp": exp })),
        ));
    }
    for (exp, said) in [
        ("null", "null"),
        ("1e999", "without end"),
        ("NaN", "not a number"),
    ] {
        let claims =
            format!(r#"{{"sub":"alice","exp":{exp},"aud":"shop","iss":"https://idp.example"}}"#);
        let token = sign_raw(
            r#"{"alg":"HS256"}"#,
            claims,
            Algorithm::HS256,
            &hmac(JWT_SECRET),
        );
        attacks.push(named(format!("exp {said}"), token));
    }
    for (nbf, said) in [
        (json!(now + 60), "ahead"),
        (json!(i64::MAX), "greatest"),
        (json!(now.to_string()), "text"),
        (json!(now as f64 + 60.5), "ahead, with a fraction"),
        (json!(false), "a boolean"),
    ] {
        attacks.push(named(
            format!("nbf {said}"),
            target.claiming(json!({ "nbf": nbf })),
        ));
    }
    attacks
}

pub fn parties(target: &Target) -> Attacks {
    let mut attacks = Attacks::new();
    for aud in [
        json!(null),
        json!("other"),
        json!(""),
        json!("Shop"),
        json!("shop "),
        json!("shop,other"),
        json!([]),
        json!(["other"]),
        json!(["shop", 1]),
        json!([["shop"]]),
        json!({ "shop": true }),
        json!(1),
    ] {
        attacks.push(named(
            format!("aud {aud}"),
            target.claiming(json!({ "aud": aud })),
        ));
    }
    for iss in [
        json!(null),
        json!("https://idp.example/"),
        json!("https://IDP.example"),
        json!("https://idp.example.attacker.example"),
        json!(["https://idp.example"]),
        json!(""),
        json!(1),
    ] {
        attacks.push(named(
            format!("iss {iss}"),
            target.claiming(json!({ "iss": iss })),
        ));
    }
    for secret in [OTHER_SECRET, "", "secret", ROOT_KEY, &target.f.api_key] {
        let secret = if secret.is_empty() { "\0" } else { secret };
        let token = sign(
            &json!({ "alg": "HS256" }),
            &claims_of_alice(),
            Algorithm::HS256,
            &hmac(secret),
        );
        attacks.push(named(format!("signed with {secret:?}"), token));
    }
    attacks
}

pub fn users(target: &Target) -> Attacks {
    [
        json!(null),
        json!(""),
        json!(1.5),
        json!(1e30),
        json!(true),
        json!(["alice"]),
        json!({ "id": "alice" }),
        json!("alice\u{0}"),
        json!("al\nice"),
        json!("\u{7f}"),
        json!("\u{85}"),
        json!("a".repeat(201)),
        json!("ü".repeat(101)),
        json!("guest:alice"),
    ]
    .into_iter()
    .map(|user| {
        named(
            format!("sub {user:.40}"),
            target.claiming(json!({ "sub": user })),
        )
    })
    .collect()
}
