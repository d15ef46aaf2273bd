//! A catalogue's file, cut into parts that one request takes each. The items themselves are checked by
//! the server.

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;

/// Below the server's limit of 64 KiB a body, with room for what is around the items.
const BATCH_BYTES_MAX: usize = 60 * 1024;

#[derive(Debug)]
pub struct File {
    pub batches: Vec<Batch>,
    pub skus: HashSet<String>,
}

/// Numbers count from 1, as people do.
#[derive(Debug)]
pub struct Batch {
    pub first: usize,
    pub last: usize,
    pub items: Vec<Value>,
}

impl File {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shape {
            items: Vec<Value>,
        }
        let Shape { items } =
            serde_json::from_str(text).context("not JSON of the shape {\"items\": [...]}")?;
        let mut batches: Vec<Batch> = Vec::new();
        let mut skus = HashSet::new();
        let mut size_bytes = 0;
        for (number, item) in (1..).zip(items) {
            let Some(sku) = item.get("sku").and_then(Value::as_str) else {
                bail!("item {number} has no sku");
            };
            if !skus.insert(sku.to_owned()) {
                bail!("item {number} has the sku {sku:?}, as an item before it");
            }
            let item_bytes = item.to_string().len() + 1;
            if item_bytes > BATCH_BYTES_MAX {
                bail!("item {number} is larger than {BATCH_BYTES_MAX} bytes");
            }
            match batches.last_mut() {
                Some(batch) if size_bytes + item_bytes <= BATCH_BYTES_MAX => {
                    batch.last = number;
                    batch.items.push(item);
                    size_bytes += item_bytes;
                }
                _ => {
                    batches.push(Batch {
                        first: number,
                        last: number,
                        items: vec![item],
                    });
                    size_bytes = item_bytes;
                }
            }
        }
        Ok(Self { batches, skus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_cut_and_nothing_is_lost() {
        let items: Vec<_> = (0..5_000)
            .map(|n| format!(r#"{{"sku":"s{n}","name":"{}"}}"#, "x".repeat(n % 300)))
            .collect();
        let text = format!(r#"{{"items":[{}]}}"#, items.join(","));
        let file = File::parse(&text).expect("file");
        assert!(file.batches.len() > 1);
        let mut next = 1;
        for batch in &file.batches {
            assert_eq!(
                (batch.first, batch.last - batch.first + 1),
                (next, batch.items.len())
            );
            assert!(Value::Array(batch.items.clone()).to_string().len() <= BATCH_BYTES_MAX + 2);
            next = batch.last + 1;
        }
        assert_eq!((next, file.skus.len()), (5_001, 5_000));
    }

    #[test]
    fn errors_name_the_item() {
        for (text, expected) in [
            ("[]", "shape"),
            (r#"{"items":[{"name":"x"}]}"#, "item 1 has no sku"),
            (
                r#"{"items":[{"sku":"a"},{"sku":"a"}]}"#,
                "item 2 has the sku \"a\"",
            ),
        ] {
            let error = format!("{:#}", File::parse(text).expect_err("refused"));
            assert!(error.contains(expected), "{error}");
        }
    }
}
