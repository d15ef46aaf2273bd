//! What a purchase costs: a table of situations, and properties over any catalogue.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    catalogue::{CatalogueItem, ItemPrice, ItemVirtualPrice, Line, Listed, NoQuote},
    catalogue::{quote, quote_virtual},
    ids::Version,
    money::{Currency, Money},
    order::{Content, Facets, ItemKind, Mode, Order, Status, charge},
    virtual_currency::VirtualAmount,
};
use proptest::prelude::*;

fn currency(code: &str) -> Currency {
    Currency::new(code).expect("code")
}

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, currency(code)).expect("range")
}

fn units(amount: i64) -> VirtualAmount {
    VirtualAmount::new(amount).expect("range")
}

fn item(sku: &str, prices: &[Money]) -> CatalogueItem {
    CatalogueItem {
        is_free: false,
        prices: prices
            .iter()
            .map(|price| ItemPrice {
                price: *price,
                without_discount: None,
            })
            .collect(),
        ..CatalogueItem::priced(Sku::new(sku).expect("sku"), sku.to_owned(), money(1, "USD"))
    }
}

fn free(sku: &str) -> CatalogueItem {
    CatalogueItem {
        is_free: true,
        ..item(sku, &[])
    }
}

fn line(item: CatalogueItem, quantity: u32) -> Line {
    let listed = Listed { item_id: 7, item };
    Line { listed, quantity }
}

fn potion() -> CatalogueItem {
    let price = |currency: &str, amount| ItemVirtualPrice {
        currency: Sku::new(currency).expect("sku"),
        amount: units(amount),
        without_discount: None,
    };
    CatalogueItem {
        virtual_prices: vec![price("gems", 100), price("gold", 3)],
        ..item("potion", &[])
    }
}

fn gems(kind: ItemKind) -> CatalogueItem {
    CatalogueItem {
        kind,
        name: "Gems".to_owned(),
        ..item("gems", &[])
    }
}

#[test]
fn a_purchase_is_priced_in_one_currency() {
    let sword = || item("sword", &[money(199, "USD"), money(179, "EUR")]);
    let fan = || item("fan", &[money(500, "JPY"), money(400, "EUR")]);
    let axe = || item("axe", &[money(900, "GBP")]);
    let rows = [
        (vec![line(sword(), 2)], None, Ok(Some(money(398, "USD")))),
        (
            vec![line(sword(), 2)],
            Some("EUR"),
            Ok(Some(money(358, "EUR"))),
        ),
        (vec![line(sword(), 1)], Some("JPY"), Err(NoQuote::Currency)),
        // The first of the first item's currencies that all have.
        (
            vec![line(sword(), 1), line(fan(), 1)],
            None,
            Ok(Some(money(579, "EUR"))),
        ),
        (
            vec![line(fan(), 1), line(sword(), 1)],
            None,
            Ok(Some(money(579, "EUR"))),
        ),
        (
            vec![line(sword(), 1), line(axe(), 1)],
            None,
            Err(NoQuote::NoCommonCurrency),
        ),
        (vec![line(free("badge"), 3)], None, Ok(None)),
        (vec![line(free("badge"), 3)], Some("EUR"), Ok(None)),
        (
            vec![line(free("badge"), 3), line(axe(), 1)],
            None,
            Ok(Some(money(900, "GBP"))),
        ),
        (vec![line(potion(), 1)], None, Err(NoQuote::NotForMoney)),
        (
            vec![line(
                item("crown", &[money(1_000_000_000_000_000, "USD")]),
                2,
            )],
            None,
            Err(NoQuote::TooMuch),
        ),
    ];
    for (number, (lines, code, expected)) in rows.into_iter().enumerate() {
        let quoted = quote(&lines, code.map(currency)).map(|content| content.price);
        assert_eq!(quoted, expected, "row {number}");
    }
}

#[test]
fn a_virtual_price_needs_a_virtual_currency() {
    let gems_item = gems(ItemKind::VirtualCurrency);
    let price = quote_virtual(&line(potion(), 3), &gems_item)
        .expect("quote")
        .virtual_price
        .expect("price");
    assert_eq!((price.amount, price.is_default), (units(300), true));
    let not_a_currency = quote_virtual(&line(potion(), 1), &gems(ItemKind::VirtualGood));
    assert_eq!(not_a_currency, Err(NoQuote::VirtualCurrency));
    let not_priced_so = quote_virtual(&line(free("badge"), 1), &gems_item);
    assert_eq!(not_priced_so, Err(NoQuote::VirtualCurrency));
    let mut dear = potion();
    dear.virtual_prices[0].amount = VirtualAmount::MAX;
    assert_eq!(
        quote_virtual(&line(dear, 2), &gems_item),
        Err(NoQuote::TooMuch)
    );
}

fn order(content: Content) -> Order {
    Order {
        project: ProjectId::new(1).expect("id"),
        id: OrderId::new(1).expect("id"),
        user: UserId::new("alice").expect("id"),
        mode: Mode::Default,
        content,
        facets: Facets::default(),
        version: Version::FIRST,
        created_at: Timestamp::from_millis(5),
        updated_at: Timestamp::from_millis(5),
        expires_at: Timestamp::from_millis(9),
    }
}

#[test]
fn a_charged_order_is_paid_and_then_done() {
    let content =
        quote_virtual(&line(potion(), 1), &gems(ItemKind::VirtualCurrency)).expect("quote");
    assert!(!content.is_free() && !content.items[0].is_free());
    let order = order(content);
    assert_eq!(order.status(), Status::New);
    // A clock that went back does not make the order younger.
    let [paid, done] = charge(&order, Timestamp::from_millis(0));
    assert_eq!((paid.from, paid.to), (Status::New, Status::Paid));
    assert_eq!((done.from, done.to), (Status::Paid, Status::Done));
    assert_eq!((paid.order.version.get(), done.order.version.get()), (2, 3));
    assert_eq!(done.order.updated_at, order.updated_at);
    assert!(paid.is_visible() && done.is_visible());
}

#[test]
#[should_panic(expected = "only a new order with a virtual price")]
fn an_order_for_money_is_never_charged() {
    let order = order(Content::new(Some(money(1, "USD")), Vec::new()));
    let _ = charge(&order, Timestamp::from_millis(0));
}

#[test]
fn content_of_the_first_version_is_read() {
    let stored = r#"{"price":{"minor":199,"currency":"USD"},"items":[{"sku":"sword","quantity":2,"price":null}]}"#;
    let content: Content = serde_json::from_str(stored).expect("read");
    assert_eq!(content.price, Some(money(199, "USD")));
    assert_eq!(content.items[0].kind, ItemKind::VirtualGood);
    assert!(content.checkout.is_empty() && content.virtual_price.is_none());
    let again = serde_json::to_string(&content).expect("written");
    assert_eq!(
        again.replace(r#""type":"virtual_good","#, ""),
        stored,
        "nothing is added"
    );
}

const CODES: [&str; 3] = ["USD", "JPY", "KWD"];

fn any_item() -> impl Strategy<Value = CatalogueItem> {
    let price = (1..1_000_000_i64, prop::option::of(1..1_000_i64));
    prop::collection::vec(prop::option::of(price), CODES.len()).prop_map(|prices| CatalogueItem {
        is_free: prices.iter().all(Option::is_none),
        prices: prices
            .iter()
            .zip(CODES)
            .filter_map(|(price, code)| {
                let (minor, more) = (*price)?;
                Some(ItemPrice {
                    price: money(minor, code),
                    without_discount: more.map(|more| money(minor + more, code)),
                })
            })
            .collect(),
        ..item("any", &[])
    })
}

proptest! {
    #[test]
    fn a_quote_is_the_sum_of_its_lines(
        items in prop::collection::vec((any_item(), 1..=1_000_u32), 1..6),
        asked in prop::option::of(prop::sample::select(CODES.to_vec())),
    ) {
        let lines: Vec<_> = items.into_iter().map(|(item, quantity)| line(item, quantity)).collect();
        for line in &lines {
            prop_assert_eq!(line.listed.item.check(), Ok(()));
        }
        let priced: Vec<_> = lines.iter().filter(|line| !line.listed.item.is_free).collect();
        let have = |code: &str| {
            let all = priced.iter().map(|l| l.listed.item.price_in(Some(currency(code))));
            all.collect::<Option<Vec<_>>>()
        };
        match quote(&lines, asked.map(currency)) {
            Err(NoQuote::Currency) => prop_assert!(have(asked.expect("asked")).is_none()),
            Err(why) => {
                prop_assert_eq!(why, NoQuote::NoCommonCurrency);
                prop_assert!(asked.is_none() && CODES.iter().all(|code| have(code).is_none()));
            }
            Ok(content) => {
                prop_assert_eq!(content.items.len(), lines.len());
                prop_assert_eq!(content.is_free(), priced.is_empty());
                let Some(price) = content.price else {
                    prop_assert!(priced.is_empty());
                    return Ok(());
                };
                let code = price.currency;
                prop_assert!(asked.is_none_or(|asked| code == currency(asked)));
                let sum = |before: bool| -> i64 {
                    priced.iter().map(|line| {
                        let price = line.listed.item.price_in(Some(code)).expect("has it");
                        let of_one = if before { price.without_discount.unwrap_or(price.price) } else { price.price };
                        of_one.minor * i64::from(line.quantity)
                    }).sum()
                };
                prop_assert_eq!(price.minor, sum(false));
                let before = content.price_without_discount.unwrap_or(price);
                prop_assert_eq!((before.minor, before.currency), (sum(true), code));
                prop_assert!(content.price_without_discount != content.price);
            }
        }
    }
}
