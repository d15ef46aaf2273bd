//! Bodies in the reference's words (store contract, 3.6 and 3.7): members in the order of the recorded
//! ones, amounts of orders as text with four places, amounts of billing as numbers.
//!
//! What only a payment provider knows (taxes, fees, the buyer's address) has the documented zero or
//! null.

use super::{EventFacts, Form, Notification, event::rfc3339, notification::has_price};
use crate::{
    OrderId, ProjectId, Timestamp, UserId,
    ids::AttemptId,
    money::Money,
    order::{Country, CustomParameters, Email, ItemKind, Mode, Order},
};
use serde::Serialize;
use serde_json::Number;
use time::UtcOffset;

#[derive(Debug, Serialize)]
pub(super) struct OrderWebhook<'a> {
    items: Vec<Item<'a>>,
    notification_type: &'static str,
    order: OrderPart<'a>,
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing: Option<Billing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_parameters: Option<&'a CustomParameters>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    sku: &'a str,
    #[serde(rename = "type")]
    kind: ItemKind,
    is_pre_order: bool,
    quantity: u32,
    amount: Option<String>,
    promotions: [(); 0],
    #[serde(flatten)]
    flags: Option<ItemFlags>,
}

#[derive(Debug, Serialize)]
struct ItemFlags {
    is_free: bool,
    /// There are no bonuses, and bundles are sold as they are.
    is_bonus: bool,
    is_bundle_content: bool,
}

#[derive(Debug, Serialize)]
struct OrderPart<'a> {
    id: OrderId,
    mode: Mode,
    currency_type: &'static str,
    currency: Option<&'a str>,
    amount: String,
    status: &'static str,
    platform: &'static str,
    comment: Option<()>,
    invoice_id: Option<String>,
    promotions: [(); 0],
}

#[derive(Debug, Serialize)]
struct User<'a> {
    external_id: &'a UserId,
    email: Option<&'a Email>,
    country: Option<&'a Country>,
}

#[derive(Debug, Serialize)]
struct Billing<'a> {
    notification_type: &'static str,
    settings: Settings,
    purchase: Purchase,
    transaction: Transaction<'a>,
    payment_details: Box<PaymentDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_details: Option<RefundDetails>,
}

#[derive(Debug, Serialize)]
pub(super) struct BillingWebhook<'a> {
    notification_type: &'static str,
    settings: Settings,
    purchase: PurchaseOfOrder,
    user: Payer<'a>,
    transaction: Transaction<'a>,
    payment_details: Box<PaymentDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_details: Option<RefundDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_parameters: Option<&'a CustomParameters>,
}

#[derive(Debug, Serialize)]
struct Settings {
    project_id: ProjectId,
    merchant_id: u32,
}

#[derive(Debug, Serialize)]
struct Purchase {
    total: Amount,
}

#[derive(Debug, Serialize)]
struct PurchaseOfOrder {
    checkout: Amount,
    total: Amount,
    order: OrderReference,
}

#[derive(Debug, Serialize)]
struct OrderReference {
    id: OrderId,
}

#[derive(Debug, Serialize)]
struct Payer<'a> {
    ip: Option<()>,
    email: Option<&'a Email>,
    id: &'a UserId,
    country: Option<&'a Country>,
    zip: Option<()>,
}

#[derive(Debug, Serialize)]
struct Transaction<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    payment_method_order_id: &'a str,
    dry_run: u8,
    agreement: u8,
    payment_date: String,
    payment_method: u32,
    payment_method_name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Amount {
    currency: String,
    amount: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
}

#[derive(Debug, Serialize)]
struct PaymentDetails {
    payment: Amount,
    payment_method_sum: Amount,
    xsolla_balance_sum: Amount,
    payout: Amount,
    xsolla_fee: Amount,
    payment_method_fee: Amount,
    vat: Amount,
    sales_tax: Amount,
    direct_wht: Amount,
    payout_currency_rate: &'static str,
    repatriation_commission: Amount,
    country_wht: Amount,
    user_acquisition_fee: Amount,
}

#[derive(Debug, Serialize)]
struct RefundDetails {
    code: u8,
    reason: &'static str,
}

pub(super) fn order_webhook<'a>(
    form: Form,
    notification: Notification,
    event: &EventFacts,
    order: &'a Order,
) -> OrderWebhook<'a> {
    let content = &order.content;
    let is_free = content.is_free();
    let (currency_type, currency, amount) = match (content.price, &content.virtual_price) {
        (Some(price), _) if !is_free => (
            "real",
            content.price.as_ref().map(|price| price.currency.as_str()),
            four_places(price),
        ),
        (_, Some(price)) => (
            "virtual",
            Some(price.currency.as_str()),
            price.amount.get().to_string(),
        ),
        _ => ("unknown", None, "0".to_owned()),
    };
    let items = content.items.iter().map(|item| Item {
        sku: item.sku.as_str(),
        kind: item.kind,
        is_pre_order: false,
        quantity: item.quantity,
        amount: match (item.price, item.virtual_price) {
            (Some(price), _) => Some(four_places(price)),
            (None, Some(price)) => Some(price.get().to_string()),
            (None, None) if is_free => Some("0".to_owned()),
            (None, None) => None,
        },
        promotions: [],
        flags: form.has_item_flags.then(|| ItemFlags {
            is_free: content.is_item_free(item),
            is_bonus: false,
            is_bundle_content: false,
        }),
    });
    let is_paid = notification == Notification::OrderPaid;
    let is_for_money = has_price(order);
    OrderWebhook {
        items: items.collect(),
        notification_type: notification.as_str(),
        order: OrderPart {
            id: order.id,
            mode: order.mode,
            currency_type,
            currency,
            amount,
            status: if is_paid { "paid" } else { "canceled" },
            platform: "xsolla",
            comment: None,
            invoice_id: is_for_money.then(|| transaction_id(order).to_string()),
            promotions: [],
        },
        user: User {
            external_id: &order.user,
            email: content.checkout.contact.email.as_ref(),
            country: content.checkout.contact.country.as_ref(),
        },
        billing: content
            .price
            .filter(|_| form.mode == super::Mode::ReferenceCombined && is_for_money)
            .map(|price| Billing {
                notification_type: if is_paid { "payment" } else { "refund" },
                settings: settings(order),
                purchase: Purchase {
                    total: amount_of(price),
                },
                transaction: transaction(event, order),
                payment_details: payment_details(price),
                refund_details: (!is_paid).then_some(REFUND),
            }),
        custom_parameters: content.checkout.custom_parameters.as_ref(),
    }
}

/// Of an order that costs money.
pub(super) fn billing_webhook<'a>(
    notification: Notification,
    event: &EventFacts,
    order: &'a Order,
    price: Money,
) -> BillingWebhook<'a> {
    let contact = &order.content.checkout.contact;
    BillingWebhook {
        notification_type: notification.as_str(),
        settings: settings(order),
        purchase: PurchaseOfOrder {
            checkout: amount_of(price),
            total: amount_of(price),
            order: OrderReference { id: order.id },
        },
        user: Payer {
            ip: None,
            email: contact.email.as_ref(),
            id: &order.user,
            country: contact.country.as_ref(),
            zip: None,
        },
        transaction: transaction(event, order),
        payment_details: payment_details(price),
        refund_details: (notification == Notification::Refund).then_some(REFUND),
        custom_parameters: order.content.checkout.custom_parameters.as_ref(),
    }
}

const REFUND: RefundDetails = RefundDetails {
    code: 1,
    reason: "Cancellation by the user request / the game request",
};

fn settings(order: &Order) -> Settings {
    Settings {
        project_id: order.project,
        // There are no merchants above projects here.
        merchant_id: 0,
    }
}

fn transaction<'a>(event: &EventFacts, order: &'a Order) -> Transaction<'a> {
    let checkout = &order.content.checkout;
    Transaction {
        id: transaction_id(order),
        external_id: checkout.external_id.as_ref().map(|id| id.as_str()),
        payment_method_order_id: attempt(order).unwrap_or_default(),
        dry_run: u8::from(order.mode == Mode::Sandbox),
        agreement: 0,
        payment_date: payment_date(event.at),
        payment_method: 0,
        payment_method_name: "",
    }
}

/// The payment that counts. Another one that is paid as well, before it or after it in the list, must
/// not become it: shops know a sale by its transaction.
fn attempt(order: &Order) -> Option<&str> {
    let facets = &order.facets;
    let first_paid = || {
        facets
            .attempts
            .iter()
            .find(|attempt| attempt.captured() > 0)
    };
    let id = match &facets.settled_by {
        Some(id) => Some(id),
        // Orders of earlier versions do not say.
        None => first_paid().map(|attempt| &attempt.id),
    };
    id.map(AttemptId::as_str)
}

/// A number, as shops expect one: the provider's if it is one, else one that the same payment always
/// has, below 2^53 so that JSON readers keep it.
fn transaction_id(order: &Order) -> u64 {
    let Some(attempt) = attempt(order) else {
        return order.id.get().into();
    };
    match attempt.parse::<u64>() {
        Ok(id) if id < 1 << 53 => id,
        _ => fnv1a(attempt.as_bytes()) >> 11,
    }
}

/// As text with four places, as orders have them.
fn four_places(price: Money) -> String {
    let amount = price.amount();
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, ""));
    format!("{whole}.{fraction:0<4}")
}

/// As a number, as billing has them: whole ones without a fraction.
fn amount_of(price: Money) -> Amount {
    let text = price.amount();
    let text = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => &text,
    };
    let amount = match text.parse::<i64>() {
        Ok(whole) => Number::from(whole),
        // Two or three digits after the point: it prints as it was.
        Err(_) => text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .unwrap_or_else(|| Number::from(0)),
    };
    Amount {
        currency: price.currency.as_str().to_owned(),
        amount,
        percent: None,
    }
}

/// Whole seconds at +03:00, as recorded.
fn payment_date(at: Timestamp) -> String {
    let recorded = UtcOffset::from_hms(3, 0, 0).unwrap_or(UtcOffset::UTC);
    rfc3339(
        Timestamp::from_seconds(at.millis().div_euclid(1_000)),
        recorded,
    )
}

/// FNV-1a, 64 bits: stable for ever, unlike the standard library's hashes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn payment_details(price: Money) -> Box<PaymentDetails> {
    let none = || Amount {
        amount: Number::from(0),
        ..amount_of(price)
    };
    let untaxed = || Amount {
        percent: Some(0),
        ..none()
    };
    Box::new(PaymentDetails {
        payment: amount_of(price),
        payment_method_sum: amount_of(price),
        xsolla_balance_sum: none(),
        payout: amount_of(price),
        xsolla_fee: none(),
        payment_method_fee: none(),
        vat: untaxed(),
        sales_tax: untaxed(),
        direct_wht: untaxed(),
        payout_currency_rate: "1",
        repatriation_commission: none(),
        country_wht: untaxed(),
        user_acquisition_fee: untaxed(),
    })
}
