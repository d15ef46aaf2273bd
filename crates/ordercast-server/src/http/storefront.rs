//! Changes of catalogue and balances as `/v1` answers them.

use super::{App, problem::Problem, render};
use crate::clock;
use axum::http::StatusCode;
use ordercast_core::virtual_currency::VirtualAmount;
use ordercast_store::{
    Change, Outcome, Rendered, StorefrontChange, StorefrontOutcome, StorefrontRefusal, Submission,
    storefront::{BALANCES_MAX, ITEMS_MAX},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A balance as it is now
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceView {
    pub amount: VirtualAmount,
}

/// Without an idempotency key: for changes that set something, and may be repeated.
///
/// # Errors
/// [`Problem`] when nothing was changed.
pub async fn submit(app: &App, change: StorefrontChange) -> Result<StorefrontOutcome, Problem> {
    let submission = Submission {
        change: Change::Storefront(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::Storefront(StorefrontOutcome::Refused(refusal)) => Err(refused(refusal)),
        Outcome::Storefront(outcome) => Ok(outcome),
        Outcome::NotFound => Err(Problem::not_found()),
        _ => Err(Problem::unavailable()),
    }
}

/// The answer to a change of a balance; also what an idempotency key replays.
pub fn outcome(outcome: &StorefrontOutcome, success: StatusCode) -> Rendered {
    let problem = match outcome {
        StorefrontOutcome::Balance(amount) => {
            return Rendered {
                status: success.as_u16(),
                body: render::json(&BalanceView { amount: *amount }),
            };
        }
        StorefrontOutcome::Refused(refusal) => refused(*refusal),
        StorefrontOutcome::Done | StorefrontOutcome::Session(_) => Problem::unavailable(),
    };
    Rendered {
        status: problem.status,
        body: problem.body(),
    }
}

fn refused(refusal: StorefrontRefusal) -> Problem {
    match refusal {
        StorefrontRefusal::NotEnough => Problem::new(
            StatusCode::CONFLICT,
            "insufficient_balance",
            "the balance is smaller than that",
        ),
        StorefrontRefusal::TooMuch => Problem::invalid("change", "the balance would exceed 10^15"),
        StorefrontRefusal::NoVirtualCurrency => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_virtual_currency",
            "the sku in the path is not an item of the type virtual_currency",
        ),
        StorefrontRefusal::CatalogueFull => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "catalogue_full",
            format!("a project has at most {ITEMS_MAX} items"),
        ),
        StorefrontRefusal::TooManyBalances => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_balances",
            format!("a user has at most {BALANCES_MAX} balances"),
        ),
        // Carts are the buyers' own.
        StorefrontRefusal::TooManyCarts | StorefrontRefusal::CartFull => Problem::unavailable(),
    }
}
