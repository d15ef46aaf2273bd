//! Guests: buyers without an account, who show a secret in a header (store contract, 2.1). It is random,
//! made by the client, and all that there is to tell one guest from another.
//!
//! Invariants: a guest's id begins with [`GUEST_PREFIX`] and no JWT's does, so a guest never shares a
//! user's orders, carts or balances. It is a hash: the secret itself is neither kept nor shown.
//!
//! [`GUEST_PREFIX`]: ordercast_core::access::GUEST_PREFIX

use super::Rejected;
use axum::http::HeaderMap;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ordercast_core::{
    ProjectId, UserId,
    access::guest_id,
    order::{Contact, Country, Email},
};
use serde::Deserialize;

const ID_HEADER: &str = "x-unauthorized-id";
const CONTACT_HEADER: &str = "x-user";
const ID_BYTES_MAX: usize = 128;
const CONTACT_BYTES_MAX: usize = 2 * 1024;

/// Encoders in the field differ about the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who the guest is; `None`: the caller does not come as a guest.
///
/// # Errors
/// [`Rejected::Credential`] for an id that cannot be one.
pub fn from_headers(headers: &HeaderMap, project: ProjectId) -> Result<Option<UserId>, Rejected> {
    let Some(value) = headers.get(ID_HEADER) else {
        return Ok(None);
    };
    let rejected = Rejected::Credential("x-unauthorized-id must be 1 to 128 visible characters");
    let secret = value
        .to_str()
        .ok()
        .filter(|secret| (1..=ID_BYTES_MAX).contains(&secret.len()))
        .filter(|secret| secret.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(rejected)?;
    Ok(Some(guest_id(project, secret)))
}

/// Base64 of an email address, or of JSON with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Base64 of an email address, or of JSON with email and country")]
pub struct InvalidContact;

/// What the guest tells of itself.
///
/// # Errors
/// [`InvalidContact`].
pub fn contact(headers: &HeaderMap) -> Result<Contact, InvalidContact> {
    #[derive(Deserialize)]
    struct Told {
        email: Option<Email>,
        country: Option<Country>,
    }
    let Some(value) = headers.get(CONTACT_HEADER) else {
        return Ok(Contact::default());
    };
    let bytes = value.as_bytes();
    if bytes.len() > CONTACT_BYTES_MAX {
        return Err(InvalidContact);
    }
    let decoded = BASE64.decode(bytes).map_err(|_| InvalidContact)?;
    let text = String::from_utf8(decoded).map_err(|_| InvalidContact)?;
    if text.trim_start().starts_with('{') {
        let Told { email, country } = serde_json::from_str(&text).map_err(|_| InvalidContact)?;
        return Ok(Contact { email, country });
    }
    let email = Email::new(text.trim().to_owned()).map_err(|_| InvalidContact)?;
    Ok(Contact {
        email: Some(email),
        country: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    fn told(value: &[u8]) -> Result<Contact, InvalidContact> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTACT_HEADER,
            HeaderValue::from_bytes(value).expect("value"),
        );
        contact(&headers)
    }

    #[test]
    fn a_contact_is_an_address_or_an_object() {
        let plain = told(STANDARD.encode("a@example.com").as_bytes()).expect("contact");
        assert_eq!(plain.email.expect("email").as_str(), "a@example.com");
        let json = r#"{"name": "Ann", "email": "a@example.com", "country": "US"}"#;
        let object = told(STANDARD_NO_PAD.encode(json).as_bytes()).expect("contact");
        assert_eq!(object.country.expect("country").as_str(), "US");
        for bad in ["", "?", "bm90IGFuIGFkZHJlc3M=", "eyJlbWFpbCI6MX0="] {
            assert_eq!(told(bad.as_bytes()), Err(InvalidContact), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_short_and_visible_and_no_part_of_the_id() {
        let project = |id| ProjectId::new(id).expect("id");
        let id = |value: &[u8], of| {
            let mut headers = HeaderMap::new();
            headers.insert(ID_HEADER, HeaderValue::from_bytes(value).expect("value"));
            from_headers(&headers, project(of))
        };
        let guest = |value: &[u8], of| id(value, of).expect("accepted").expect("a guest");
        let alice = guest(b"alice", 1);
        assert_eq!(alice, guest(b"alice", 1));
        assert!(alice.as_str().starts_with("guest:") && !alice.as_str().contains("alice"));
        // Who knows the id has nothing, and the same secret is somebody else in another project.
        assert_ne!(alice, guest(alice.as_str().as_bytes(), 1));
        assert_ne!(alice, guest(b"alice", 2));
        for bad in [&b""[..], b"a b", b"\xff", &[b'x'; 129]] {
            assert!(id(bad, 1).is_err());
        }
        assert_eq!(from_headers(&HeaderMap::new(), project(1)), Ok(None));
    }
}
