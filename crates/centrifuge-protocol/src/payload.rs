//! `bytes` fields, which JSON embeds as they are.
//!
//! Invariant: what is written is always one valid JSON value without a line break, so that no
//! payload can break the frame around it. Named by `serde(with)` on every `bytes` field.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

pub(crate) fn serialize<S: Serializer>(payload: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let Ok(value) = serde_json::from_slice::<&RawValue>(payload) else {
        // Protobuf clients may publish anything. A JSON client gets it as text, because a frame
        // that does not parse would cost it the whole connection.
        return serializer.serialize_str(&String::from_utf8_lossy(payload));
    };
    match without_line_breaks(value.get()) {
        Cow::Borrowed(_) => value.serialize(serializer),
        Cow::Owned(text) => RawValue::from_string(text)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let value = Option::<&RawValue>::deserialize(deserializer)?;
    Ok(value.map_or_else(Bytes::new, |value| {
        Bytes::copy_from_slice(value.get().as_bytes())
    }))
}

/// JSON escapes control characters inside strings, so a raw line break can only stand between
/// tokens, where nothing depends on it.
fn without_line_breaks(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        Cow::Owned(json.replace(['\n', '\r'], ""))
    } else {
        Cow::Borrowed(json)
    }
}
