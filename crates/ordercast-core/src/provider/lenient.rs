//! Bodies that are signed but not quite JSON. Senders in the field write a byte order mark, names that are
//! cut through the middle of a character, half of a surrogate pair, numbers beyond any float, `NaN`. What
//! such a body says of money is still there: it is read with the offending part replaced by something
//! that is no amount and no id. Signatures are checked over the bytes as they came, before this.

use std::borrow::Cow;

const BYTE_ORDER_MARK: &str = "\u{feff}";
const REPLACEMENT: &str = "\\ufffd";
/// Words that some languages write for what JSON has no number for.
const NO_NUMBERS: [&str; 5] = ["-Infinity", "Infinity", "-NaN", "NaN", "undefined"];

/// The body as text that a strict parser may take. What is JSON already stays as it is.
#[must_use]
pub fn repaired(body: &[u8]) -> String {
    let text = decoded(body);
    let text = text
        .trim_start_matches(BYTE_ORDER_MARK)
        .trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' => string(rest, &mut repaired),
            '-' | '+' | '.' | '0'..='9' | 'I' | 'N' | 'u' => number(rest, &mut repaired),
            _ => {
                let (one, after) = rest.split_at(first.len_utf8());
                repaired.push_str(one);
                after
            }
        };
    }
    repaired
}

/// UTF-8 with what is none replaced; UTF-16 where its mark says so.
fn decoded(body: &[u8]) -> Cow<'_, str> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units: Vec<_> = pairs.iter().map(|pair| unit(*pair)).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match body {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(body),
    }
}

/// From the quotation mark on; gives what is behind the string.
fn string<'a>(text: &'a str, repaired: &mut String) -> &'a str {
    repaired.push('"');
    let mut rest = &text[1..];
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                repaired.push('"');
                return &rest[1..];
            }
            '\\' => rest = escape(rest, repaired),
            // They must be escaped; which one it was decides nothing.
            control if u32::from(control) < 0x20 => {
                repaired.push(' ');
                rest = &rest[1..];
            }
            other => {
                repaired.push(other);
                rest = &rest[other.len_utf8()..];
            }
        }
    }
    rest
}

/// From the backslash on. A half of a surrogate pair stands for no character.
fn escape<'a>(text: &'a str, repaired: &mut String) -> &'a str {
    let length = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
    match text.as_bytes().get(1) {
        Some(b'u') => {}
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            repaired.push_str(&text[..length]);
            return &text[length..];
        }
        // It escapes nothing that needs it: `\x` is the letter.
        Some(_) => {
            repaired.push_str(&text[1..length]);
            return &text[length..];
        }
        None => return "",
    }
    let Some(unit) = code_unit(text) else {
        repaired.push_str(REPLACEMENT);
        return &text[2..];
    };
    let after = &text[6..];
    match unit {
        0xd800..=0xdbff => match code_unit(after) {
            Some(0xdc00..=0xdfff) => {
                repaired.push_str(&text[..12]);
                &text[12..]
            }
            _ => {
                repaired.push_str(REPLACEMENT);
                after
            }
        },
        0xdc00..=0xdfff => {
            repaired.push_str(REPLACEMENT);
            after
        }
        _ => {
            repaired.push_str(&text[..6]);
            after
        }
    }
}

/// Of `\uXXXX` at the beginning.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// A number that the parser refuses becomes text: an amount that cannot be read is not an amount that was
/// not told.
fn number<'a>(text: &'a str, repaired: &mut String) -> &'a str {
    for word in NO_NUMBERS {
        if let Some(after) = text.strip_prefix(word) {
            repaired.push('"');
            repaired.push_str(word);
            repaired.push('"');
            return after;
        }
    }
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let length = text
        .bytes()
        .take_while(|byte| is_part(*byte))
        .count()
        .max(1);
    let (number, after) = text.split_at(length);
    let is_taken = serde_json::from_str::<serde_json::Value>(number).is_ok();
    // A letter that begins `null` in capitals or the like: the parser will say what it thinks of it.
    let is_number = number.bytes().all(is_part);
    if is_taken || !is_number {
        repaired.push_str(number);
    } else {
        repaired.push('"');
        repaired.push_str(number);
        repaired.push('"');
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(body: &[u8], expected: &Value) {
        let text = repaired(body);
        let read: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(read, *expected, "{text}");
    }

    #[test]
    fn what_senders_write_is_read() {
        check(b"\xef\xbb\xbf{\"a\":1}", &json!({ "a": 1 }));
        check(b"\0\0 {\"a\":1}\r\n\0", &json!({ "a": 1 }));
        check(br#"{"a":"x\ud83d"}"#, &json!({ "a": "x\u{fffd}" }));
        check(br#"{"a":"\ude00y"}"#, &json!({ "a": "\u{fffd}y" }));
        check(br#"{"a":"\ud83d\u0041"}"#, &json!({ "a": "\u{fffd}A" }));
        check(br#"{"a":"\ud83d\ude00"}"#, &json!({ "a": "\u{1f600}" }));
        check(b"{\"a\":\"caf\xe9\"}", &json!({ "a": "caf\u{fffd}" }));
        check(b"{\"a\":\"one\ntwo\"}", &json!({ "a": "one two" }));
        check(br#"{"a":"\x41"}"#, &json!({ "a": "x41" }));
        check(
            br#"{"a":1e400,"b":-1E+999}"#,
            &json!({ "a": "1e400", "b": "-1E+999" }),
        );
        check(
            b"{\"a\":NaN,\"b\":-Infinity}",
            &json!({ "a": "NaN", "b": "-Infinity" }),
        );
        check(
            br#"{"a":007,"b":.5,"c":1.}"#,
            &json!({ "a": "007", "b": ".5", "c": "1." }),
        );
        let wide: Vec<u8> = "\u{feff}{\"a\":\"é\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        check(&wide, &json!({ "a": "é" }));
    }

    #[test]
    fn what_is_json_stays_as_it_is() {
        for text in [
            r#"{"a":[1,-2.5e3,true,false,null,"\"\\\/\b\f\n\r\té"],"":{}}"#,
            r#"{"NaN":"Infinity","u":"-"}"#,
            "[]",
            "1.50",
        ] {
            assert_eq!(repaired(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_no_repair_makes_json_stays_none() {
        for body in [
            &b""[..],
            b"{",
            b"{\"a\":",
            b"id=tr_1",
            b"<xml/>",
            b"\"\\",
            b"\"\\u12",
        ] {
            let text = repaired(body);
            assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
        }
    }
}
