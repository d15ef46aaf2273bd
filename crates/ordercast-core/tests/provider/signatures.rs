//! Vectors of the providers contract, section 1, and that nothing beside them is accepted.

use ordercast_core::{
    Timestamp,
    provider::{Provider, Request, paypal_transmission, verify},
};

const BODY: &[u8] = br#"{"id":"evt_1","type":"test"}"#;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HEX: &str = "4483abd636aeaafea9089f9d3b43a00cf30030d9f6d9838e5060312749207e89";

struct Vector {
    provider: Provider,
    secret: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Headers that the signature covers, or that hold it.
    signed: &'static [&'static str],
}

fn vector(
    provider: Provider,
    headers: &[(&'static str, &str)],
    signed: &'static [&'static str],
) -> Vector {
    Vector {
        provider,
        secret: "topsecret",
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: BODY.to_vec(),
        signed,
    }
}

fn vectors() -> Vec<Vector> {
    let stripe = "6d04ace89db494b5c0866da194d35971ad69cf3da9ae7ef3dcb0a7f990b2a56a";
    let paddle = "55cbfa95a07edc1d4258ab0554e9f9fd5313bcade3a02829e07f30d87228bd08";
    let tebex = "3d09a654d66f01bb8428783d0b45359e352a84df584b2b96c19103e1069334a6";
    let cdp = "7d76f972982d2776ea43dc93f81a517f7cecf68e067693f67765925770b232e1";
    let reference = "Signature 330e369a615546160a1826612bac5f8858b345de";
    let mut all = vec![
        vector(
            Provider::Reference,
            &[("authorization", reference)],
            &["authorization"],
        ),
        vector(
            Provider::Stripe,
            &[("stripe-signature", &format!("t=1700000000,v1={stripe}"))],
            &["stripe-signature"],
        ),
        vector(
            Provider::Paddle,
            &[("paddle-signature", &format!("ts=1700000000;h1={paddle}"))],
            &["paddle-signature"],
        ),
        vector(
            Provider::LemonSqueezy,
            &[("x-signature", HEX)],
            &["x-signature"],
        ),
        vector(
            Provider::MollieNext,
            &[("x-mollie-signature", &format!("sha256={HEX}"))],
            &["x-mollie-signature"],
        ),
        vector(
            Provider::Razorpay,
            &[("x-razorpay-signature", HEX)],
            &["x-razorpay-signature"],
        ),
        vector(
            Provider::CoinbaseCommerce,
            &[("x-cc-webhook-signature", HEX)],
            &["x-cc-webhook-signature"],
        ),
        vector(
            Provider::CoinbaseBusiness,
            &[("x-hook0-signature", &format!("t=1700000000,v0={stripe}"))],
            &["x-hook0-signature"],
        ),
        vector(
            Provider::CoinbaseBusiness,
            &[
                (
                    "x-hook0-signature",
                    &format!("t=1700000000,h=content-type x-event-id,v1={cdp}"),
                ),
                ("content-type", "application/json"),
                ("x-event-id", "evt_1"),
            ],
            &["x-hook0-signature", "content-type", "x-event-id"],
        ),
        vector(Provider::Tebex, &[("x-signature", tebex)], &["x-signature"]),
    ];
    let mut standard = vector(
        Provider::Standard,
        &[
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1700000000"),
            (
                "webhook-signature",
                "v1,Nzixzx4v+AD50fHSQeAxQoRanppsvi4fXWyo3ojcz50=",
            ),
        ],
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
    );
    standard.secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    all.push(standard);
    let mut adyen = vector(Provider::Adyen, &[], &[]);
    // The example of Adyen's documentation.
    adyen.secret = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    adyen.body = br#"{"live":"false","notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},"amount":{"value":1130,"currency":"EUR"},"pspReference":"7914073381342284","eventCode":"AUTHORISATION","eventDate":"2019-05-06T17:15:34.121+02:00","merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1407325143704","paymentMethod":"visa","success":"true"}}]}"#.to_vec();
    all.push(adyen);
    all
}

fn is_accepted(vector: &Vector, secrets: &[&str], now: Timestamp) -> bool {
    let headers: Vec<_> = vector
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let request = Request {
        headers: &headers,
        body: &vector.body,
    };
    verify(vector.provider, request, secrets, now).is_ok()
}

#[test]
fn known_signatures_are_accepted_by_any_live_secret_and_by_no_other() {
    for vector in vectors() {
        let provider = vector.provider;
        assert!(is_accepted(&vector, &[vector.secret], NOW), "{provider:?}");
        assert!(
            is_accepted(&vector, &["another-secret", vector.secret], NOW),
            "{provider:?}"
        );
        for wrong in [&["another-secret"][..], &[""], &[]] {
            assert!(!is_accepted(&vector, wrong, NOW), "{provider:?} {wrong:?}");
        }
    }
}

#[test]
fn no_mutation_of_one_byte_is_accepted() {
    for mut vector in vectors() {
        let provider = vector.provider;
        for at in 0..vector.body.len() {
            // Of an Adyen item only eight fields are signed: mutations of those are below.
            if provider == Provider::Adyen {
                break;
            }
            let before = vector.body[at];
            vector.body[at] ^= 1;
            assert!(
                !is_accepted(&vector, &[vector.secret], NOW),
                "{provider:?} body {at}"
            );
            vector.body[at] = before;
        }
        for header in 0..vector.headers.len() {
            let (name, value) = vector.headers[header].clone();
            if !vector.signed.contains(&name) {
                continue;
            }
            // Every byte becomes every other one.
            for (at, change) in (0..value.len()).flat_map(|at| (1..=255_u8).map(move |c| (at, c))) {
                let mut bytes = value.clone().into_bytes();
                bytes[at] ^= change;
                let Ok(mutated) = String::from_utf8(bytes) else {
                    continue;
                };
                vector.headers[header].1 = mutated.clone();
                assert!(
                    !is_accepted(&vector, &[vector.secret], NOW),
                    "{provider:?} {name}: {mutated}"
                );
            }
            vector.headers[header].1 = value;
            let kept = vector.headers.remove(header);
            assert!(
                !is_accepted(&vector, &[vector.secret], NOW),
                "{provider:?} without {name}"
            );
            vector.headers.insert(header, kept);
        }
    }
}

#[test]
fn every_signed_field_of_an_adyen_item_counts() {
    let vector = vectors().pop().expect("adyen is the last");
    let text = String::from_utf8(vector.body.clone()).expect("text");
    for (field, other) in [
        ("7914073381342284", "7914073381342285"),
        ("TestMerchant", "TestMerchanu"),
        ("TestPayment-1407325143704", "TestPayment-1407325143705"),
        ("1130", "1131"),
        ("EUR", "USD"),
        ("AUTHORISATION", "CAPTURE"),
        (r#""success":"true""#, r#""success":"false""#),
        ("coqCmt", "doqCmt"),
    ] {
        let changed = Vector {
            body: text.replace(field, other).into_bytes(),
            headers: Vec::new(),
            ..vectors().pop().expect("adyen")
        };
        assert_ne!(changed.body, vector.body, "{field}");
        assert!(!is_accepted(&changed, &[vector.secret], NOW), "{field}");
    }
    // A second item without a signature must not ride along.
    let item = text
        .split_once('[')
        .and_then(|(_, rest)| rest.rsplit_once(']'))
        .expect("items")
        .0;
    let forged = item
        .replace("coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=", "")
        .replace("1130", "1");
    let both = Vector {
        body: text.replace(item, &format!("{item},{forged}")).into_bytes(),
        ..vectors().pop().expect("adyen")
    };
    assert!(!is_accepted(&both, &[vector.secret], NOW));
    for empty in [r#"{"notificationItems":[]}"#, "{}", "", "[]"] {
        let empty = Vector {
            body: empty.as_bytes().to_vec(),
            ..vectors().pop().expect("adyen")
        };
        assert!(!is_accepted(&empty, &[vector.secret], NOW));
    }
}

#[test]
fn a_signed_time_must_be_within_five_minutes() {
    let timed = [
        Provider::Stripe,
        Provider::Paddle,
        Provider::CoinbaseBusiness,
        Provider::Standard,
    ];
    for vector in vectors() {
        let is_timed = timed.contains(&vector.provider);
        for (seconds, is_near) in [
            (-301, false),
            (-300, true),
            (300, true),
            (301, false),
            (86_400, false),
        ] {
            let now = Timestamp::from_seconds(1_700_000_000 + seconds);
            let accepted = is_accepted(&vector, &[vector.secret], now);
            assert_eq!(
                accepted,
                is_near || !is_timed,
                "{:?} {seconds}",
                vector.provider
            );
        }
    }
}

#[test]
fn several_signatures_of_a_rotation_are_all_looked_at() {
    let good = "6d04ace89db494b5c0866da194d35971ad69cf3da9ae7ef3dcb0a7f990b2a56a";
    let bad = "0".repeat(64);
    for header in [
        format!("t=1700000000,v1={bad},v1={good},v0={bad}"),
        format!("t=1700000000,v1={good},v1={bad}"),
    ] {
        let vector = vector(
            Provider::Stripe,
            &[("stripe-signature", &header)],
            &["stripe-signature"],
        );
        assert!(is_accepted(&vector, &["topsecret"], NOW), "{header}");
    }
    let paddle = "55cbfa95a07edc1d4258ab0554e9f9fd5313bcade3a02829e07f30d87228bd08";
    let cdp = "7d76f972982d2776ea43dc93f81a517f7cecf68e067693f67765925770b232e1";
    let standard = "Nzixzx4v+AD50fHSQeAxQoRanppsvi4fXWyo3ojcz50=";
    let h = "h=content-type x-event-id";
    for (first, second) in [(true, false), (false, true)] {
        let either = |good: &str| {
            let pick = |is_good| {
                if is_good {
                    good.to_owned()
                } else {
                    bad.clone()
                }
            };
            (pick(first), pick(second))
        };
        let (one, two) = either(paddle);
        let header = format!("ts=1700000000;h1={one};h1={two}");
        let of_paddle = vector(Provider::Paddle, &[("paddle-signature", &header)], &[]);
        let (one, two) = either(cdp);
        let header = format!("t=1700000000,{h},v1={one},v1={two}");
        let headers = [
            ("x-hook0-signature", header.as_str()),
            ("content-type", "application/json"),
            ("x-event-id", "evt_1"),
        ];
        let of_coinbase = vector(Provider::CoinbaseBusiness, &headers, &[]);
        let (one, two) = either(HEX);
        let (one, two) = (format!("sha256={one}"), format!("sha256={two}"));
        let headers = [
            ("x-mollie-signature", one.as_str()),
            ("x-mollie-signature", &two),
        ];
        let of_mollie = vector(Provider::MollieNext, &headers, &[]);
        let (one, two) = either(standard);
        let header = format!("v1,{one} v1,{two} v1a,{one}");
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", &header),
        ];
        let mut of_standard = vector(Provider::Standard, &headers, &[]);
        of_standard.secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        for vector in [of_paddle, of_coinbase, of_mollie, of_standard] {
            let provider = vector.provider;
            assert!(is_accepted(&vector, &[vector.secret], NOW), "{provider:?}");
        }
    }
    let v0 = format!("t=1700000000,v0={good}");
    let vector = vector(Provider::Stripe, &[("stripe-signature", &v0)], &[]);
    assert!(
        !is_accepted(&vector, &["topsecret"], NOW),
        "v0 is for tests"
    );
}

/// Polar and others sign with the secret's own bytes, which may look like base64.
#[test]
fn a_bare_secret_may_be_the_key_or_its_base64() {
    let bare = "abcdefghijklmnop01234567";
    for key in [
        bare.as_bytes().to_vec(),
        data_encoding::BASE64
            .decode(bare.as_bytes())
            .expect("it is"),
    ] {
        let mut content = b"msg_1.1700000000.".to_vec();
        content.extend_from_slice(BODY);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let signature =
            data_encoding::BASE64.encode(aws_lc_rs::hmac::sign(&key, &content).as_ref());
        let mut vector = vector(
            Provider::Standard,
            &[
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", "1700000000"),
                ("webhook-signature", &format!("v1,{signature}")),
            ],
            &[],
        );
        vector.secret = bare;
        assert!(is_accepted(&vector, &[bare], NOW));
    }
    // Too short to be a secret, though it matches.
    let mut short = vectors()
        .into_iter()
        .find(|v| v.provider == Provider::Standard)
        .expect("one");
    short.secret = "whsec_";
    assert!(!is_accepted(&short, &["whsec_"], NOW));
}

/// The number that PayPal signs for the body of the vectors.
#[test]
fn paypal_signs_the_checksum_of_the_body() {
    let headers = [
        ("paypal-transmission-id", "id"),
        ("paypal-transmission-time", "2026-11-23T10:00:00Z"),
        ("paypal-transmission-sig", "AAAA"),
        ("paypal-cert-url", "https://api.paypal.com/cert"),
        ("paypal-auth-algo", "SHA256withRSA"),
    ];
    let request = Request {
        headers: &headers,
        body: BODY,
    };
    let transmission = paypal_transmission(request, "WH-1").expect("complete");
    assert_eq!(
        transmission.signed,
        "id|2026-11-23T10:00:00Z|WH-1|3655510948"
    );
}
