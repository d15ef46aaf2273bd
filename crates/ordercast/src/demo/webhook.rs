//! Bodies of the reference provider's webhooks, in the shape of a recorded one (store contract,
//! section 3.6 and `order_paid` fixture), and their signature.
//!
//! Pure. Ids of a payment follow from its order, so a repeated webhook is recognisably the same.

pub use super::api::{Item, Price};
use ordercast_core::OrderId;
use serde_json::{Number, Value, json};
use sha1::{Digest, Sha1};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// Distinct from any recorded id, and above what fits 32 bits, as a busy provider's are.
const TRANSACTION_BASE: u64 = 5_000_000_000;
/// The provider sends an 18-digit string here.
const METHOD_ORDER_BASE: u64 = 178_500_000_000_000_000;

/// One payment of one order.
#[derive(Clone, Debug)]
pub struct Payment {
    pub project_id: u32,
    pub order: OrderId,
    pub user: String,
    pub price: Price,
    pub items: Vec<Item>,
    /// Test money, as the order says.
    pub is_sandbox: bool,
    pub at: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    OrderPaid,
    OrderCanceled,
    /// Separate mode only.
    Payment,
    /// Separate mode only.
    Refund,
    /// A part of the money, --amount, goes back.
    PartialRefund,
    /// Whether the shop knows the buyer.
    UserValidation,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderPaid => "order_paid",
            Self::OrderCanceled => "order_canceled",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::PartialRefund => "partial_refund",
            Self::UserValidation => "user_validation",
        }
    }
}

/// Whether billing data comes inside the order's webhooks or in webhooks of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Combined,
    Separate,
}

impl Payment {
    pub fn body(&self, kind: Kind, mode: Mode) -> Vec<u8> {
        let body = match kind {
            Kind::OrderPaid => self.order_webhook(kind, "paid", mode),
            Kind::OrderCanceled => self.order_webhook(kind, "canceled", mode),
            Kind::Payment => self.billing_webhook(kind),
            Kind::Refund | Kind::PartialRefund => with_refund(self.billing_webhook(kind)),
            Kind::UserValidation => self.question(),
        };
        body.to_string().into_bytes()
    }

    fn order_webhook(&self, kind: Kind, status: &str, mode: Mode) -> Value {
        let items: Vec<_> = self
            .items
            .iter()
            .map(|item| {
                json!({
                    "sku": item.sku,
                    "type": "virtual_good",
                    "is_pre_order": false,
                    "quantity": item.quantity,
                    "amount": item.price.as_ref().map(|price| four_places(&price.amount)),
                    "promotions": [],
                })
            })
            .collect();
        let mut body = json!({
            "notification_type": kind.as_str(),
            "items": items,
            "order": {
                "id": self.order,
                "mode": if self.is_sandbox { "sandbox" } else { "default" },
                "currency_type": "real",
                "currency": self.price.currency,
                "amount": four_places(&self.price.amount),
                "status": status,
                "platform": "xsolla",
                "comment": null,
                "invoice_id": self.transaction().to_string(),
                "promotions": [],
            },
            "user": {
                "external_id": self.user,
                "email": "buyer@example.com",
                "country": "DE",
            },
        });
        if mode == Mode::Combined {
            let (word, total) = match kind {
                Kind::OrderCanceled | Kind::Refund | Kind::PartialRefund => {
                    ("refund", with_refund(self.billing()))
                }
                Kind::OrderPaid | Kind::Payment | Kind::UserValidation => {
                    ("payment", self.billing())
                }
            };
            body["billing"] = total;
            body["billing"]["notification_type"] = word.into();
        }
        body
    }

    fn billing_webhook(&self, kind: Kind) -> Value {
        let mut body = self.billing();
        body["notification_type"] = kind.as_str().into();
        body["user"] = self.buyer();
        body["purchase"]["checkout"] = self.amount();
        body["purchase"]["order"] = json!({ "id": self.order });
        body
    }

    fn question(&self) -> Value {
        json!({
            "notification_type": Kind::UserValidation.as_str(),
            "settings": { "project_id": self.project_id, "merchant_id": 1 },
            "user": self.buyer(),
        })
    }

    fn buyer(&self) -> Value {
        json!({
            "ip": "127.0.0.1",
            "email": "buyer@example.com",
            "id": self.user,
            "country": "DE",
            "zip": "10115",
        })
    }

    fn billing(&self) -> Value {
        let amount = self.amount();
        let none = json!({ "currency": self.price.currency, "amount": 0 });
        let untaxed = json!({ "currency": self.price.currency, "amount": 0, "percent": 0 });
        json!({
            "settings": { "project_id": self.project_id, "merchant_id": 1 },
            "purchase": { "total": amount },
            "transaction": {
                "id": self.transaction(),
                "payment_method_order_id":
                    (METHOD_ORDER_BASE + u64::from(self.order.get())).to_string(),
                "dry_run": u8::from(self.is_sandbox),
                "agreement": 1,
                "payment_date": payment_date(self.at),
                "payment_method": 1380,
                "payment_method_name": "Bank card",
            },
            "payment_details": {
                "payment": amount,
                "payment_method_sum": amount,
                "xsolla_balance_sum": none,
                "payout": amount,
                "xsolla_fee": none,
                "payment_method_fee": none,
                "vat": untaxed,
                "sales_tax": untaxed,
                "direct_wht": untaxed,
                "payout_currency_rate": "1",
                "repatriation_commission": none,
                "country_wht": untaxed,
                "user_acquisition_fee": untaxed,
            },
        })
    }

    /// Amounts of billing are JSON numbers, those of orders are decimal text.
    fn amount(&self) -> Value {
        let amount = self
            .price
            .amount
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64);
        json!({ "currency": self.price.currency, "amount": amount })
    }

    fn transaction(&self) -> u64 {
        TRANSACTION_BASE + u64::from(self.order.get())
    }
}

fn with_refund(mut body: Value) -> Value {
    body["refund_details"] = json!({ "code": 1, "reason": "Cancellation by the user request" });
    body
}

/// `1.99` becomes `1.9900`.
fn four_places(amount: &str) -> String {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}.{fraction:0<4}")
}

/// Whole seconds at +03:00, as recorded.
fn payment_date(at: OffsetDateTime) -> String {
    let recorded = UtcOffset::from_hms(3, 0, 0).unwrap_or(UtcOffset::UTC);
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    seconds
        .to_offset(recorded)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// Plain SHA-1 of body and secret, not an HMAC (store contract, section 3.2).
pub fn signature(body: &[u8], secret: &str) -> String {
    let digest = Sha1::new()
        .chain_update(body)
        .chain_update(secret)
        .finalize();
    data_encoding::HEXLOWER.encode(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordercast_core::{
        ProjectId,
        money::Money,
        order::{Fact, Refunded},
        provider::{Provider, Request, SourceSettings, read},
    };

    fn payment() -> Payment {
        let price = Price {
            amount: "1.99".to_owned(),
            currency: "USD".to_owned(),
        };
        Payment {
            project_id: 308_077,
            order: OrderId::new(7).expect("an id"),
            user: "alice".to_owned(),
            items: vec![Item {
                sku: "artifact_centaurs_axe".to_owned(),
                quantity: 1,
                price: Some(price.clone()),
            }],
            price,
            is_sandbox: true,
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn keys(value: &Value, path: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(members) => members
                .iter()
                .for_each(|(name, value)| keys(value, &format!("{path}/{name}"), into)),
            Value::Array(items) => {
                items
                    .iter()
                    .for_each(|value| keys(value, &format!("{path}[]"), into));
            }
            leaf => {
                let kind = match leaf {
                    Value::Null => "null",
                    Value::Bool(_) => "bool",
                    Value::Number(_) => "number",
                    _ => "text",
                };
                into.push(format!("{path} {kind}"));
            }
        }
    }

    #[test]
    fn order_paid_has_the_members_and_types_of_the_recorded_one() {
        // The members of shared/fixtures/provider-order_paid.raw.json, values replaced.
        let recorded = br#"{"items":[{"sku":"s","type":"t","is_pre_order":false,"quantity":1,"amount":"1","promotions":[]}],"notification_type":"order_paid","order":{"id":1,"mode":"m","currency_type":"r","currency":"USD","amount":"1","status":"paid","platform":"x","comment":null,"invoice_id":"1","promotions":[]},"user":{"external_id":"a","email":"w","country":"DE"},"billing":{"notification_type":"payment","settings":{"project_id":1,"merchant_id":1},"purchase":{"total":{"currency":"USD","amount":1}},"transaction":{"id":1,"payment_method_order_id":"1","dry_run":1,"agreement":1,"payment_date":"2","payment_method":1,"payment_method_name":"B"},"payment_details":{"payment":{"currency":"U","amount":1},"payment_method_sum":{"currency":"U","amount":1},"xsolla_balance_sum":{"currency":"U","amount":0},"payout":{"currency":"U","amount":1},"xsolla_fee":{"currency":"U","amount":0},"payment_method_fee":{"currency":"U","amount":0},"vat":{"currency":"U","amount":0,"percent":0},"sales_tax":{"currency":"U","amount":0,"percent":0},"direct_wht":{"currency":"U","amount":0,"percent":0},"payout_currency_rate":"1","repatriation_commission":{"currency":"U","amount":0},"country_wht":{"currency":"U","amount":0,"percent":0},"user_acquisition_fee":{"currency":"U","amount":0,"percent":0}}}}"#;
        let ours = payment().body(Kind::OrderPaid, Mode::Combined);
        let shape = |body: &[u8]| {
            let mut into = Vec::new();
            keys(&serde_json::from_slice(body).expect("JSON"), "", &mut into);
            into.sort();
            into
        };
        assert_eq!(shape(&ours), shape(recorded));
    }

    #[test]
    fn the_server_reads_them_as_one_payment_and_its_refund() {
        let project = ProjectId::new(308_077).expect("an id");
        let fact = |kind, mode| {
            let body = payment().body(kind, mode);
            let request = Request {
                headers: &[],
                body: &body,
            };
            let settings = SourceSettings::default();
            read(Provider::Reference, request, project, &settings, "hash")
                .expect("an event")
                .remove(0)
                .fact
        };
        let paid = fact(Kind::OrderPaid, Mode::Combined);
        assert_eq!(fact(Kind::OrderPaid, Mode::Separate), paid);
        assert_eq!(fact(Kind::Payment, Mode::Separate), paid);
        let Some(Fact::Paid {
            attempt, amount, ..
        }) = paid
        else {
            panic!("not a payment: {paid:?}")
        };
        assert_eq!(Money::parse("1.99", amount.currency), Ok(amount));
        let refunded = Some(Fact::Refunded {
            attempt,
            refund: None,
            amount: Refunded::Whole,
        });
        assert_eq!(fact(Kind::OrderCanceled, Mode::Combined), refunded);
        assert_eq!(fact(Kind::Refund, Mode::Separate), refunded);
    }

    #[test]
    fn amounts_have_four_places() {
        assert_eq!(four_places("1.99"), "1.9900");
        assert_eq!(four_places("100"), "100.0000");
    }

    #[test]
    fn signature_is_a_plain_sha1() {
        // providers.md, test vectors.
        let body = br#"{"id":"evt_1","type":"test"}"#;
        assert_eq!(
            signature(body, "topsecret"),
            "330e369a615546160a1826612bac5f8858b345de"
        );
    }
}
