//! A sender of Standard Webhooks. Its words, and where things stand in its bodies, are the source's.

use super::{Headers, Setting, Unsigned, Voice, mac, text};
use crate::trigger::payment::Payment;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD},
};
use ordercast_core::provider::AmountUnit;
use serde_json::{Map, Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, setting: Setting<'_>) -> Vec<u8> {
    let mut body = json!({ "timestamp": payment.rfc3339() });
    let Some(fields) = setting.fields else {
        return text(&body);
    };
    let told = payment.back();
    let amount = match fields.amount_unit {
        AmountUnit::Minor => json!(told.minor),
        AmountUnit::Decimal => json!(told.amount()),
    };
    let mut put = |pointer: Option<&String>, value: Value| {
        if let Some(pointer) = pointer {
            place(&mut body, pointer, value);
        }
    };
    put(Some(&fields.kind), word.into());
    put(fields.order_id.as_ref(), payment.order.to_string().into());
    put(Some(&fields.attempt_id), payment.id("pay_").into());
    put(fields.amount.as_ref(), amount);
    put(fields.currency.as_ref(), told.currency.to_string().into());
    put(fields.refund_id.as_ref(), payment.refund_id("re_").into());
    put(fields.occurred_at.as_ref(), payment.rfc3339().into());
    text(&body)
}

/// Puts a value where a JSON pointer (RFC 6901) points, and makes the objects on the way.
fn place(body: &mut Value, pointer: &str, value: Value) {
    let mut at = body;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = value;
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let Unsigned {
        secret,
        body,
        id,
        at,
    } = unsigned;
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = BASE64
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .unwrap_or_else(|_| secret.as_bytes().to_vec());
    let content = [id.as_bytes(), b".", at.to_string().as_bytes(), b".", body].concat();
    let signature = BASE64.encode(mac(&key, &content));
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}
