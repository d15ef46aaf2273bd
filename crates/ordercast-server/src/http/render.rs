//! Orders and times as `/v1` shows them.

use super::problem::Problem;
use axum::http::StatusCode;
use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    ids::{AttemptId, DisputeId, RefundId, SourceId, Version},
    money::{Currency, Money},
    order::{
        Attempt, AttemptState, Checkout, Dispute, DisputeState, Flag, Fulfilment, Item,
        LedgerEntry, LedgerKind, Mode, Order, PaymentState, Refund, RefundSize, Refusal, Status,
        Teller,
    },
    virtual_currency::VirtualPrice,
};
use ordercast_store::{Applied, Outcome, Rendered};
use serde::{Serialize, Serializer};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use time::{
    OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{KnownFormat, SchemaFormat, SchemaType, Type},
    },
};

const MILLISECONDS: &[BorrowedFormatItem] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time(self.0))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, milliseconds"))
            .examples(["2026-11-23T08:00:00.000Z"])
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

pub fn time(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|time| time.format(MILLISECONDS).ok())
        .unwrap_or_default()
}

/// RFC 3339 with any offset.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
}

/// An amount of money
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView {
    /// Decimal, with the currency's full number of places; below zero only where money went back.
    #[schema(pattern = r"^-?\d+(\.\d+)?$", example = "1.99")]
    pub amount: String,
    pub currency: Currency,
}

pub fn money(money: Money) -> MoneyView {
    MoneyView {
        amount: money.amount(),
        currency: money.currency,
    }
}

/// Minor units of the order's currency; `None` for an order that costs no money.
fn minor(order: &Order, minor: i64) -> Option<MoneyView> {
    let currency = order.content.price?.currency;
    let sign = if minor < 0 { "-" } else { "" };
    let money = Money::new(minor.abs(), currency).ok()?;
    Some(MoneyView {
        amount: format!("{sign}{}", money.amount()),
        currency,
    })
}

/// An order, with all that is known of it
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView<'a> {
    order_id: OrderId,
    project_id: ProjectId,
    user_external_id: &'a UserId,
    status: Status,
    version: Version,
    mode: Mode,
    /// `null`: it costs no money.
    #[schema(required)]
    price: Option<MoneyView>,
    /// `null`: it costs no virtual currency.
    #[schema(required)]
    virtual_price: Option<&'a VirtualPrice>,
    checkout: &'a Checkout,
    is_free: bool,
    items: Vec<ItemView<'a>>,
    payment: PaymentState,
    /// What came in and was not given back.
    #[schema(required)]
    net_paid: Option<MoneyView>,
    fulfilment: Fulfilment,
    #[schema(required)]
    dispute: Option<DisputeState>,
    /// What an operator should know or look at; not shown to buyers.
    #[schema(value_type = Vec<Flag>, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<&'a BTreeSet<Flag>>,
    /// Why each flag is raised; not shown to buyers.
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    flag_reasons: Option<BTreeMap<Flag, &'a str>>,
    /// What may go wrong with it later; not shown to buyers.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    attempts: Vec<AttemptView<'a>>,
    ledger: Vec<LedgerEntryView<'a>>,
    created_at: Time,
    updated_at: Time,
    expires_at: Time,
}

/// An item of an order
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderItem)]
pub struct ItemView<'a> {
    sku: &'a Sku,
    quantity: u32,
    /// Of one piece.
    #[schema(required)]
    price: Option<MoneyView>,
    fulfilment: Fulfilment,
}

/// One way in which somebody tried to pay
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView<'a> {
    attempt_id: &'a AttemptId,
    /// Whose name `attempt_id` is; `null`: the server's own, or not known.
    #[schema(required)]
    source: Option<&'a SourceId>,
    state: AttemptState,
    #[schema(required)]
    captured: Option<MoneyView>,
    /// Captured and not given back.
    #[schema(required)]
    net: Option<MoneyView>,
    refunds: Vec<RefundView<'a>>,
    /// The newest of `disputes`.
    #[schema(required)]
    dispute: Option<DisputeView<'a>>,
    disputes: Vec<DisputeView<'a>>,
}

/// Money that was given back
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundView<'a> {
    /// `null`: the provider has no names for refunds.
    #[schema(required)]
    refund_id: Option<&'a RefundId>,
    /// What the other side, provider or shop, calls it.
    #[schema(required)]
    also_refund_id: Option<&'a RefundId>,
    /// `shop`: no provider has confirmed it.
    told_by: Teller,
    /// `null`: the provider did not say.
    #[schema(required)]
    amount: Option<MoneyView>,
    /// Whether `amount` is the sum of this and all refunds before it.
    is_total: bool,
    is_reversed: bool,
}

/// A payment that its payer disputes
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Dispute)]
pub struct DisputeView<'a> {
    /// `null`: the provider has no names for disputes.
    #[schema(required)]
    dispute_id: Option<&'a DisputeId>,
    state: DisputeState,
    #[schema(required)]
    amount: Option<MoneyView>,
}

/// One signed amount; their sum is `net_paid`
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub struct LedgerEntryView<'a> {
    attempt_id: &'a AttemptId,
    kind: LedgerKind,
    #[schema(required)]
    refund_id: Option<&'a RefundId>,
    #[schema(required)]
    amount: Option<MoneyView>,
}

fn item<'a>(order: &Order, item: &'a Item) -> ItemView<'a> {
    ItemView {
        sku: &item.sku,
        quantity: item.quantity,
        price: item.price.map(money),
        fulfilment: order.facets.fulfilment_of(&item.sku),
    }
}

fn attempt<'a>(order: &Order, attempt: &'a Attempt) -> AttemptView<'a> {
    let refund = |refund: &'a Refund| {
        let amount = match refund.size {
            RefundSize::Whole => Some(attempt.captured()),
            RefundSize::Part(minor) | RefundSize::Total(minor) => Some(minor),
            RefundSize::Unknown => None,
        };
        RefundView {
            refund_id: refund.id.as_ref(),
            also_refund_id: refund.also.as_ref(),
            told_by: refund.told_by,
            amount: amount.and_then(|amount| minor(order, amount)),
            is_total: matches!(refund.size, RefundSize::Total(_)),
            is_reversed: refund.reversed,
        }
    };
    let dispute = |dispute: &'a Dispute| DisputeView {
        dispute_id: dispute.id.as_ref(),
        state: dispute.state,
        amount: minor(order, dispute.amount.unwrap_or(attempt.captured())),
    };
    AttemptView {
        attempt_id: &attempt.id,
        source: attempt.source.as_ref(),
        state: attempt.state,
        captured: minor(order, attempt.captured()),
        net: minor(order, order.facets.net_of(attempt)),
        refunds: attempt.refunds.iter().map(refund).collect(),
        dispute: attempt.disputes.last().map(dispute),
        disputes: attempt.disputes.iter().map(dispute).collect(),
    }
}

fn ledger_entry<'a>(order: &Order, entry: &LedgerEntry<'a>) -> LedgerEntryView<'a> {
    LedgerEntryView {
        attempt_id: entry.attempt,
        kind: entry.kind,
        refund_id: entry.refund,
        amount: minor(order, entry.minor),
    }
}

pub fn order(order: &Order) -> OrderView<'_> {
    let (content, facets) = (&order.content, &order.facets);
    OrderView {
        order_id: order.id,
        project_id: order.project,
        user_external_id: &order.user,
        status: order.status(),
        version: order.version,
        mode: order.mode,
        price: content.price.map(money),
        virtual_price: content.virtual_price.as_ref(),
        checkout: &content.checkout,
        is_free: content.is_free(),
        items: content.items.iter().map(|i| item(order, i)).collect(),
        payment: facets.payment(),
        net_paid: minor(order, facets.net_paid()),
        fulfilment: facets.fulfilment,
        dispute: facets.dispute(),
        flags: Some(&facets.flags),
        flag_reasons: Some(
            facets
                .flags
                .iter()
                .map(|flag| (*flag, facets.note(*flag)))
                .collect(),
        ),
        warnings: warnings(order),
        attempts: facets.attempts.iter().map(|a| attempt(order, a)).collect(),
        ledger: facets
            .ledger()
            .iter()
            .map(|e| ledger_entry(order, e))
            .collect(),
        created_at: Time(order.created_at),
        updated_at: Time(order.updated_at),
        expires_at: Time(order.expires_at),
    }
}

/// What is known to go wrong at some providers.
fn warnings(order: &Order) -> Vec<String> {
    let price = order
        .content
        .price
        .filter(|price| !price.is_in_coarse_steps());
    price.map(coarse_steps).into_iter().collect()
}

/// What providers that charge in coarse steps make of a price between them.
pub fn coarse_steps(price: Money) -> String {
    format!(
        "some payment providers charge {} in steps of ten minor units, and {price} is between two",
        price.currency
    )
}

/// The order as its buyer sees it: without what the shop notes for itself.
pub fn order_for_buyer(shown: &Order) -> OrderView<'_> {
    OrderView {
        flags: None,
        flag_reasons: None,
        warnings: Vec::new(),
        ..order(shown)
    }
}

/// The order after a change
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedOrder)]
pub struct ChangedView<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    position: PositionView<'a>,
}

/// Where the order's channel is: a tracking client that has reached it has seen the change
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Position)]
struct PositionView<'a> {
    epoch: &'a str,
    offset: u32,
}

fn applied(applied: &Applied) -> String {
    json(&ChangedView {
        order: order(applied.order()),
        position: PositionView {
            epoch: applied.epoch.as_str(),
            offset: applied.offset.get(),
        },
    })
}

/// Views always serialise: their maps have text for keys.
pub fn json(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_else(|_| "{}".to_owned())
}

/// 409 for what another state of the order would allow, 422 for what no state would.
const fn refused(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::IllegalTransition { .. } => (StatusCode::CONFLICT, "illegal_transition"),
        Refusal::NothingPaid => (StatusCode::CONFLICT, "nothing_paid"),
        Refusal::TooMuch => (StatusCode::CONFLICT, "refund_too_large"),
        Refusal::RefundExists => (StatusCode::CONFLICT, "exists"),
        Refusal::UnknownRefund => (StatusCode::CONFLICT, "no_such_refund"),
        Refusal::Fulfilment => (StatusCode::CONFLICT, "illegal_fulfilment"),
        Refusal::Unchanged => (StatusCode::CONFLICT, "unchanged"),
        Refusal::AmbiguousAttempt => (StatusCode::UNPROCESSABLE_ENTITY, "ambiguous_attempt"),
        Refusal::UnknownAttempt => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_attempt"),
        Refusal::Currency | Refusal::ItemsCurrency => {
            (StatusCode::UNPROCESSABLE_ENTITY, "currency")
        }
        Refusal::NothingToRefund => (StatusCode::UNPROCESSABLE_ENTITY, "nothing_to_refund"),
        Refusal::TooManyRefunds => (StatusCode::CONFLICT, "limit_reached"),
        Refusal::NoSuchFlag => (StatusCode::CONFLICT, "no_such_flag"),
        Refusal::PriceFixed => (StatusCode::CONFLICT, "price_fixed"),
    }
}

/// The answer to a change of an order; also what an idempotency key replays.
pub fn outcome(outcome: &Outcome, success: StatusCode) -> Rendered {
    let problem = match outcome {
        Outcome::Order(change) => {
            return Rendered {
                status: success.as_u16(),
                body: applied(change),
            };
        }
        Outcome::Replayed(rendered) => return rendered.clone(),
        Outcome::Refused {
            refusal,
            status,
            version,
        } => {
            let (http_status, code) = refused(refusal);
            Problem::new(http_status, code, refusal.to_string())
                .with("current_status", status.as_str())
                .with("current_version", version.get())
        }
        Outcome::VersionMismatch { status, version } => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            "the order is not at the version of If-Match",
        )
        .with("current_status", status.as_str())
        .with("current_version", version.get()),
        Outcome::NotFound => Problem::not_found(),
        Outcome::Exists => Problem::new(
            StatusCode::CONFLICT,
            "exists",
            "there is an object with this id already",
        ),
        Outcome::KeyConflict => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used with another body",
        ),
        Outcome::Storefront(outcome) => return super::storefront::outcome(outcome, success),
        Outcome::Project(_)
        | Outcome::ProjectChanged(_)
        | Outcome::Received(_)
        | Outcome::ForgedTransmission
        | Outcome::HandleRefused(_)
        | Outcome::Credentials(_)
        | Outcome::Webhooks(_)
        | Outcome::Sources(_)
        | Outcome::Unchanged { .. }
        | Outcome::Nothing
        | Outcome::Pruned(_)
        | Outcome::Deleted { .. } => Problem::unavailable(),
    };
    Rendered {
        status: problem.status,
        body: problem.body(),
    }
}
