//! The body of an event in Ordercast's own words: `{type, timestamp, data}` of the Standard Webhooks
//! specification. Every type has the same `data`; what only some have stands beside it.

use super::{EventFacts, event::rfc3339};
use crate::{
    ProjectId, Timestamp,
    ids::{AttemptId, RefundId, Version},
    money::{Currency, Money},
    order::{Checkout, CustomParameters, DisputeState, Flag, Mode, Order, Status},
};
use serde::Serialize;
use std::collections::BTreeSet;
use time::UtcOffset;

/// The type of what tests an endpoint.
pub const TEST: &str = "endpoint.test";

#[derive(Debug, Serialize)]
pub(super) struct Standard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: EventData<'a>,
}

/// What an event tells of its order
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookData))]
pub struct EventData<'a> {
    /// Of the feed; 0 in `endpoint.test`.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    event_id: i64,
    #[cfg_attr(feature = "openapi", schema(value_type = u32, minimum = 1))]
    project_id: ProjectId,
    /// 0 in `endpoint.test`.
    #[cfg_attr(feature = "openapi", schema(value_type = u32, minimum = 0, maximum = 2_147_483_647))]
    order_id: i64,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    user_external_id: &'a str,
    /// After the event.
    status: Status,
    /// Null: the order was made by it.
    #[cfg_attr(feature = "openapi", schema(required))]
    previous_status: Option<Status>,
    /// Counts the changes of the order. Of two events of one order, the one with the lower version is
    /// the older.
    #[cfg_attr(feature = "openapi", schema(value_type = u32, minimum = 1))]
    version: Version,
    mode: Mode,
    /// Null: it costs no money.
    #[cfg_attr(feature = "openapi", schema(required))]
    price: Option<Amount>,
    /// Null: it costs no virtual currency.
    #[cfg_attr(feature = "openapi", schema(required))]
    virtual_price: Option<VirtualAmountTold<'a>>,
    items: Vec<ItemTold<'a>>,
    /// The shop's own number of the order, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_parameters: Option<&'a CustomParameters>,
    /// Why the order changed, for people. This and what follows is not in events of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    reason: Option<&'a str>,
    /// What the shop held of the buyer's money after it. Null: the order costs no money.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = Option<Amount>))]
    net_paid: Option<Option<Amount>>,
    /// All that are up after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = Vec<Flag>))]
    flags: Option<&'a BTreeSet<Flag>>,
    /// Of `order.refunded` and `order.refund_reversed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = RefundView))]
    refund: Option<RefundView<'a>>,
    /// Of `order.disputed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = DisputeView))]
    dispute: Option<DisputeView<'a>>,
    /// Of `order.flagged`: those that were raised by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    raised: Vec<RaisedView>,
}

/// What stood behind the status when it happened, as webhooks and the feed show it.
#[derive(Debug)]
pub struct More<'a> {
    pub reason: &'a str,
    pub net_paid: Option<Amount>,
    pub flags: &'a BTreeSet<Flag>,
    pub refund: Option<RefundView<'a>>,
    pub dispute: Option<DisputeView<'a>>,
    pub raised: Vec<RaisedView>,
}

/// An amount of money, as a decimal text
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookAmount))]
pub struct Amount {
    #[cfg_attr(feature = "openapi", schema(example = "1.99"))]
    amount: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "USD"))]
    currency: Currency,
}

/// An amount of a virtual currency
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookVirtualAmount))]
pub struct VirtualAmountTold<'a> {
    amount: i64,
    currency: &'a str,
}

/// An item of the order
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookItem))]
pub struct ItemTold<'a> {
    sku: &'a str,
    quantity: u32,
}

/// Money that went back to the buyer, or that did not after all
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookRefund))]
pub struct RefundView<'a> {
    /// Null: the provider gives refunds no names.
    #[cfg_attr(feature = "openapi", schema(required, value_type = Option<String>))]
    refund_id: Option<&'a RefundId>,
    /// The payment that it belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    attempt_id: &'a AttemptId,
    /// Of this refund alone.
    #[cfg_attr(feature = "openapi", schema(example = "1.99"))]
    amount: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "USD"))]
    currency: Currency,
}

/// What a bank or a provider says of a payment that its holder disputes
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookDispute))]
pub struct DisputeView<'a> {
    /// `lost` and `accepted` took the money, `won` gave it back; the others move none.
    state: DisputeState,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    attempt_id: &'a AttemptId,
    /// Of what is disputed: the whole payment, unless the provider said less.
    #[cfg_attr(feature = "openapi", schema(example = "1.99"))]
    amount: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "USD"))]
    currency: Currency,
}

/// A flag that was raised
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WebhookRaisedFlag))]
pub struct RaisedView {
    flag: Flag,
    /// For people.
    about: &'static str,
}

pub(super) fn event<'a>(event: &'a EventFacts, order: &'a Order) -> Standard<'a> {
    let content = &order.content;
    let Checkout {
        external_id,
        custom_parameters,
        ..
    } = &content.checkout;
    // A price may be changed while nothing is paid: what was told of it stays.
    let price = match &event.details {
        Some(details) => details.price,
        None => content.price,
    };
    let more = more(event);
    let (reason, flags) = more.as_ref().map(|more| (more.reason, more.flags)).unzip();
    let (net_paid, refund, dispute, raised) = match more {
        None => (None, None, None, Vec::new()),
        Some(more) => (Some(more.net_paid), more.refund, more.dispute, more.raised),
    };
    Standard {
        kind: &event.kind,
        timestamp: rfc3339(event.at, UtcOffset::UTC),
        data: EventData {
            event_id: event.id,
            project_id: order.project,
            order_id: order.id.get().into(),
            user_external_id: order.user.as_str(),
            status: event.status,
            previous_status: event.previous_status,
            version: event.version,
            mode: order.mode,
            price: price.map(amount),
            virtual_price: content
                .virtual_price
                .as_ref()
                .map(|price| VirtualAmountTold {
                    amount: price.amount.get(),
                    currency: price.currency.as_str(),
                }),
            items: content
                .items
                .iter()
                .map(|item| ItemTold {
                    sku: item.sku.as_str(),
                    quantity: item.quantity,
                })
                .collect(),
            external_id: external_id.as_ref().map(|id| id.as_str()),
            custom_parameters: custom_parameters.as_ref(),
            reason,
            flags,
            net_paid,
            refund,
            dispute,
            raised,
        },
    }
}

/// What stood behind the status; `None`: of an event of a version that did not keep it.
#[must_use]
pub fn more(event: &EventFacts) -> Option<More<'_>> {
    let details = event.details.as_ref()?;
    let currency = details.price.map(|price| price.currency);
    let of_minor = |minor: i64| signed(minor, currency?);
    Some(More {
        reason: &event.reason,
        net_paid: of_minor(details.net_paid),
        flags: &details.flags,
        refund: details.refund.as_ref().and_then(|refund| {
            let Amount { amount, currency } = of_minor(refund.minor)?;
            Some(RefundView {
                refund_id: refund.id.as_ref(),
                attempt_id: &refund.attempt,
                amount,
                currency,
            })
        }),
        dispute: details.dispute.as_ref().and_then(|dispute| {
            let Amount { amount, currency } = of_minor(dispute.minor)?;
            Some(DisputeView {
                state: dispute.state,
                attempt_id: &dispute.attempt,
                amount,
                currency,
            })
        }),
        raised: details
            .raised
            .iter()
            .map(|flag| RaisedView {
                flag: *flag,
                about: flag.sentence(),
            })
            .collect(),
    })
}

/// Of the same shape as an event, about no order.
pub(super) fn test(project: ProjectId, at: Timestamp) -> Standard<'static> {
    static NO_FLAGS: BTreeSet<Flag> = BTreeSet::new();
    Standard {
        kind: TEST,
        timestamp: rfc3339(at, UtcOffset::UTC),
        data: EventData {
            event_id: 0,
            project_id: project,
            order_id: 0,
            user_external_id: "ordercast-test",
            status: Status::New,
            previous_status: None,
            version: Version::FIRST,
            mode: Mode::Sandbox,
            price: None,
            virtual_price: None,
            items: Vec::new(),
            external_id: None,
            custom_parameters: None,
            reason: Some("a test of the endpoint"),
            net_paid: Some(None),
            flags: Some(&NO_FLAGS),
            refund: None,
            dispute: None,
            raised: Vec::new(),
        },
    }
}

fn amount(money: Money) -> Amount {
    Amount {
        amount: money.amount(),
        currency: money.currency,
    }
}

/// Money that went back may be more than what came in.
fn signed(minor: i64, currency: Currency) -> Option<Amount> {
    let sign = if minor < 0 { "-" } else { "" };
    let money = Money::new(minor.abs(), currency).ok()?;
    Some(Amount {
        amount: format!("{sign}{}", money.amount()),
        currency,
    })
}
