//! What the integrator reads of a provider's words is what its adapter makes of them.

use ordercast_core::provider::Provider;

const PAGE: &str = include_str!("../../../../docs/providers.md");

/// `| `word` | what it says of the money | `meaning` |` of a provider's section, in their order.
fn rows(title: &str) -> Vec<(&'static str, &'static str)> {
    let begin = format!("\n## {title}\n");
    let (_, section) = PAGE.split_once(&begin).expect(title);
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<_> = line
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            let [_, word, _, meaning, _] = cells[..] else {
                panic!("{title}: {line}")
            };
            (word, meaning)
        })
        .collect()
}

#[test]
fn every_word_stands_in_the_page_with_its_meaning() {
    for (title, provider) in [
        ("Stripe", Provider::Stripe),
        ("Adyen", Provider::Adyen),
        ("PayPal", Provider::Paypal),
        ("Paddle", Provider::Paddle),
        ("Razorpay", Provider::Razorpay),
    ] {
        let meant = |meaning| serde_json::to_value(meaning).expect("JSON");
        let known: Vec<_> = provider
            .mapping()
            .iter()
            .map(|(word, meaning)| (*word, meant(meaning)))
            .collect();
        let written: Vec<_> = rows(title)
            .into_iter()
            .map(|(word, meaning)| (word, meaning.into()))
            .collect();
        assert_eq!(written, known, "{title}");
    }
}
