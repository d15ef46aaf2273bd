//! How the token is written, and signatures that are not quite.

use super::*;

pub fn forms(target: &Target) -> Attacks {
    let good = target.claiming(json!({}));
    let (message, signature) = good.rsplit_once('.').expect("a token");
    let (header, claims) = message.split_once('.').expect("a token");
    let mut attacks = vec![
        named("header alone", header),
        named("two dots", ".."),
        named("a dot", "."),
        named("header and dots", format!("{header}..")),
        named("no header", format!(".{claims}.{signature}")),
        named("no claims", format!("{header}..{signature}")),
        named("a part more", format!("{good}.{signature}")),
        named("a dot more", format!("{good}.")),
        named("a dot before", format!(".{good}")),
        named("twice", format!("{good}{good}")),
        named("two of them", format!("{good},{good}")),
        named("scheme inside", format!("Bearer {good}")),
        named("in quotes", format!("\"{good}\"")),
        named("percent-encoded", good.replace('.', "%2E")),
        named(
            "other alphabet",
            format!("{header}.{claims}.{}+", &signature[1..]),
        ),
        named("slash", format!("{header}.{claims}.{}/", &signature[1..])),
        named("not ASCII", format!("{good}é")),
    ];
    for (place, at) in [
        ("header", header.len() / 2),
        ("claims", header.len() + 5),
        ("signature", message.len() + 9),
    ] {
        for (what, inside) in [
            ("space", ' '),
            ("tab", '\t'),
            ("newline", '\n'),
            ("return", '\r'),
            ("zero", '\0'),
        ] {
            let mut token = good.clone();
            token.insert(at, inside);
            attacks.push(named(format!("{what} in the {place}"), token));
        }
    }
    for padding in ["=", "=="] {
        attacks.push(named(
            format!("signature{padding}"),
            format!("{good}{padding}"),
        ));
        attacks.push(named(
            format!("header{padding}"),
            format!("{header}{padding}.{claims}.{signature}"),
        ));
        attacks.push(named(
            format!("claims{padding}"),
            format!("{header}.{claims}{padding}.{signature}"),
        ));
    }
    // By WebSocket the text is the credential, all of it.
    attacks.push(named("newline behind", format!("{good}\n")));
    attacks.push(named("newline before", format!("\n{good}")));
    attacks
}

pub fn signatures(target: &Target) -> Attacks {
    let mut attacks = Attacks::new();
    for algorithm in ALGORITHMS {
        let good = target.token(algorithm, json!({}), json!({}));
        let (message, signature) = good.rsplit_once('.').expect("a token");
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(signature.as_bytes())
            .expect("base64url");
        let mut put = |name: &str, signature: &[u8]| {
            let token = format!("{message}.{}", b64(signature));
            attacks.push(named(format!("{algorithm:?}, {name}"), token));
        };
        put("empty signature", &[]);
        put("one byte less", &bytes[..bytes.len() - 1]);
        put("one byte less in front", &bytes[1..]);
        put("half", &bytes[..bytes.len() / 2]);
        put("one byte more", &[&bytes[..], &[0]].concat());
        put("one byte more in front", &[&[0], &bytes[..]].concat());
        put("twice", &[&bytes[..], &bytes[..]].concat());
        put("zeros", &vec![0; bytes.len()]);
        put("ones", &vec![0xff; bytes.len()]);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            put(&format!("bit of byte {at}"), &bent);
        }
        // The last character has bits to spare: another spelling of the same bytes.
        let last = *signature.as_bytes().last().expect("a character");
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.iter().position(|c| *c == last).expect("base64url");
        if signature.len() % 4 != 0 {
            let other = char::from(alphabet[at ^ 1]);
            let twin = format!("{message}.{}{other}", &signature[..signature.len() - 1]);
            attacks.push(named(format!("{algorithm:?}, other spelling"), twin));
        }
        // The signature of another token.
        let other = target.token(algorithm, json!({}), json!({ "sub": "bob" }));
        let (other, _) = other.rsplit_once('.').expect("a token");
        attacks.push(named(
            format!("{algorithm:?}, somebody else's claims"),
            format!("{other}.{signature}"),
        ));
    }
    // CVE-2022-21449 and its kin.
    let good = target.token(Algorithm::ES256, json!({}), json!({}));
    let (message, _) = good.rsplit_once('.').expect("a token");
    let (zero, order) = (vec![0; 32], p256_order());
    let mut one = zero.clone();
    one[31] = 1;
    for (name, r, s) in [
        ("r 0, s 0", &zero, &zero),
        ("r 0, s 1", &zero, &one),
        ("r 1, s 0", &one, &zero),
        ("r n, s n", &order, &order),
        ("r n, s 1", &order, &one),
        ("r 1, s 1", &one, &one),
    ] {
        let signature = b64([&r[..], &s[..]].concat());
        attacks.push(named(name, format!("{message}.{signature}")));
    }
    for (name, der) in [
        ("DER of zeros", "3006020100020100"),
        ("DER of ones", "3006020101020101"),
    ] {
        let der = data_encoding::HEXLOWER.decode(der.as_bytes()).expect("hex");
        attacks.push(named(name, format!("{message}.{}", b64(der))));
    }
    // What verifies under a key of small order, whatever the message.
    let good = target.token(Algorithm::EdDSA, json!({}), json!({}));
    let (message, _) = good.rsplit_once('.').expect("a token");
    let mut identity = [0; 64];
    identity[0] = 1;
    attacks.push(named(
        "identity point",
        format!("{message}.{}", b64(identity)),
    ));
    attacks
}
