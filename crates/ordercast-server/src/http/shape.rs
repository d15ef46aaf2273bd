//! What is wrong with JSON that has another shape than a request: the field, and a rule in plain words.
//!
//! Invariant: nothing of the input stands in an answer. Names of fields are the program's own; the names
//! that it does not know are not repeated.

use super::problem::Problem;
use serde_path_to_error::{Path, Segment};

/// `message`: of the deserializer, with the place in the text behind it.
pub fn problem(path: &Path, message: &str) -> Problem {
    let message = message
        .rfind(" at line ")
        .map_or(message, |at| &message[..at]);
    // The unknown name stands at the end of the path.
    let surplus = usize::from(message.starts_with("unknown field"));
    let length = path.iter().len().saturating_sub(surplus);
    let mut field = name(path.iter().take(length));
    let rule = if let Some(missing) = between(message, "missing field `", "`") {
        field = joined(&field, missing);
        "is missing".to_owned()
    } else {
        rule(message)
    };
    let field = if field.is_empty() { "body" } else { &field };
    Problem::invalid(field, rule)
}

fn name<'p>(path: impl Iterator<Item = &'p Segment>) -> String {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => name.push_str(&format!("[{index}]")),
            Segment::Map { key } => name = joined(&name, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    name
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn between<'m>(message: &'m str, before: &str, after: &str) -> Option<&'m str> {
    message
        .strip_prefix(before)?
        .split_once(after)
        .map(|(inside, _)| inside)
}

fn rule(message: &str) -> String {
    let expected = || {
        message
            .rsplit_once("expected ")
            .map(|(_, expected)| expected)
    };
    if message.starts_with("unknown field") {
        return match expected() {
            Some(known) => format!(
                "has a name that is not known here; known are {}",
                listed(known)
            ),
            None => "has a name that is not known here; it has no fields".to_owned(),
        };
    }
    if message.starts_with("unknown variant") {
        return match expected() {
            Some(known) => format!("must be one of {}", listed(known)),
            None => "is not a word that is known here".to_owned(),
        };
    }
    let is_of_serde = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|begin| message.starts_with(begin));
    match expected().filter(|_| is_of_serde) {
        Some(expected) => format!("must be {}", plain(expected)),
        // A rule of ours, which is written for people.
        None => message.to_owned(),
    }
}

/// "one of `a`, `b`", "`a` or `b`" and "`a`" as a list without quotes.
fn listed(known: &str) -> String {
    let known = known.strip_prefix("one of ").unwrap_or(known);
    known.replace('`', "").replace(" or ", ", ")
}

/// What serde calls a type, in the words of JSON.
fn plain(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a string" | "str" | "string" | "a borrowed string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" | "a list" => "a list",
        "a map" => "an object",
        "unit" | "null" => "null",
        "a nonzero u32" | "a nonzero u64" => "a whole number, 1 or more",
        "variant identifier" | "string or map" => "one of the words that are known here",
        _ if expected.starts_with("struct ") || expected.contains("tagged enum") => "an object",
        _ if expected.starts_with("enum ") => "one of the words that are known here",
        _ if expected.starts_with("tuple ") || expected.starts_with("an array of") => "a list",
        // In our own words.
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::parse;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Shape {
        to: Option<ordercast_core::order::Target>,
        price: Option<Price>,
        #[serde(default)]
        items: Vec<Line>,
        mark: Option<bool>,
        change: Option<i64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Price {
        amount: String,
        currency: ordercast_core::money::Currency,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Line {
        quantity: u32,
        price: Option<Price>,
    }

    fn check(body: &str, expected: &str) {
        let problem = parse::<Shape>(body.as_bytes()).expect_err(body);
        assert_eq!(
            (problem.status, problem.code),
            (422, "invalid_field"),
            "{body}"
        );
        assert_eq!(problem.title, expected, "{body}");
        let field = expected.split_once(": ").map(|(field, _)| field);
        assert_eq!(problem.members["field"].as_str(), field, "{body}");
    }

    #[test]
    fn the_field_and_plain_words() {
        check(
            r#"{"price":{"amount":1.99,"currency":"USD"}}"#,
            "price.amount: must be a text in quotes",
        );
        check(
            r#"{"price":{"amount":"1","currency":7}}"#,
            "price.currency: must be a text in quotes",
        );
        check(
            r#"{"items":[{"quantity":1},{"quantity":1,"price":{"amount":"1"}}]}"#,
            "items[1].price.currency: is missing",
        );
        check(
            r#"{"items":[{"quantity":-1}]}"#,
            "items[0].quantity: must be a whole number, 0 or more",
        );
        check(
            r#"{"items":[{"quantity":"1"}]}"#,
            "items[0].quantity: must be a whole number, 0 or more",
        );
        check(r#"{"items":{}}"#, "items: must be a list");
        check(r#"{"price":"1.99"}"#, "price: must be an object");
        check(r#"{"mark":"yes"}"#, "mark: must be true or false");
        check(r#"{"change":1.5}"#, "change: must be a whole number");
        check(
            r#"{"price":{"amount":"1","currency":"USD","tax":"0"}}"#,
            "price: has a name that is not known here; known are amount, currency",
        );
        check(r#"7"#, "body: must be an object");
    }

    #[test]
    fn answers_never_echo_input() {
        for body in [
            r#"{"to":"canary"}"#,
            r#"{"canary":1}"#,
            r#"{"to":{"canary":1}}"#,
            r#"{"price":{"canary":1}}"#,
            r#"{"items":[{"quantity":"canary"}]}"#,
            r#"{"price":{"amount":"1","currency":"canary"}}"#,
            r#""canary""#,
        ] {
            let problem = parse::<Shape>(body.as_bytes()).expect_err("refused");
            let told = problem.body();
            assert!(!told.contains("canary"), "{told}");
            assert!(!told.contains("line"), "{told}");
        }
    }
}
