//! Errors of this surface: the shape and the codes of the store contract, 2.1 and 2.2.
//!
//! Invariant: every code stands here once, with its HTTP status and its one text.

use super::super::problem::{Problem, say_when};
use crate::auth::TooMany;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::catalogue::NoQuote;
use ordercast_store::{Failure, Rendered};
use serde::Serialize;
use utoipa::ToSchema;

/// An error of `/api`
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiError)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// As of the answer.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status_code: u16,
    /// Stable, for programs.
    #[schema(minimum = 1, example = 4001)]
    error_code: u32,
    /// For people.
    #[schema(example = "[0401-4001]: Item not found")]
    error_message: String,
}

#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
    challenge: &'static str,
    /// The limit that the caller is over.
    over: Option<TooMany>,
}

impl ApiError {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            challenge: "Bearer",
            over: None,
        }
    }

    fn unprocessable(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, 1019, "There is no such path")
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            1019,
            "This path does not take this method",
        )
    }

    pub fn order_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 9001, "Order not found")
    }

    pub fn item_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 4001, "Item not found")
    }

    /// There are no coupons or promo codes yet: every one is unknown.
    pub fn code_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 9802, "Code not found")
    }

    pub fn cart_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 1401, "Cart not found")
    }

    pub fn webhook_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 2503, "There are no webhook settings")
    }

    /// Of an order: the cart is missing, empty, or not of the kind that this path sells.
    pub fn invalid_cart(why: &str) -> Self {
        Self::unprocessable(1401, why)
    }

    /// Of a cart: this cannot be put in.
    pub fn incorrect_item(why: &str) -> Self {
        Self::unprocessable(1402, why)
    }

    pub fn incorrect_cart(why: impl Into<String>) -> Self {
        Self::unprocessable(1403, why)
    }

    /// The item cannot be had at this path: it is free, or not free, or not for money.
    pub fn wrong_kind_of_price(why: &str) -> Self {
        Self::unprocessable(1411, why)
    }

    pub fn item_gone() -> Self {
        Self::unprocessable(1455, "An item of the cart is no longer in the catalogue")
    }

    pub fn not_enough_virtual_currency() -> Self {
        Self::unprocessable(5006, "Not enough virtual currency")
    }

    pub fn invalid(field: &str, rule: impl std::fmt::Display) -> Self {
        Self::unprocessable(1102, format!("{field}: {rule}"))
    }

    pub fn unauthorized() -> Self {
        Problem::unauthorized().into()
    }

    pub fn forbidden() -> Self {
        Problem::forbidden().into()
    }

    pub fn unavailable() -> Self {
        Problem::unavailable().into()
    }

    /// One answer for every key that does not open this project's admin calls.
    pub fn bad_api_key() -> Self {
        Self {
            challenge: "Basic",
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                1020,
                "A valid API key of this project is needed",
            )
        }
    }

    pub fn rendered(&self) -> Rendered {
        let body = ErrorBody {
            status_code: self.status.as_u16(),
            error_code: self.code,
            error_message: format!("[0401-{:04}]: {}", self.code, self.message),
        };
        Rendered {
            status: self.status.as_u16(),
            body: super::super::render::json(&body),
        }
    }
}

/// The same refusals as on `/v1`, in this surface's words.
impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => 1501,
            StatusCode::NOT_FOUND => 9001,
            StatusCode::CONFLICT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE => 1101,
            StatusCode::BAD_REQUEST
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => 1102,
            _ => 1000,
        };
        Self {
            over: problem.over(),
            ..Self::new(status, code, problem.title)
        }
    }
}

impl From<TooMany> for ApiError {
    fn from(too_many: TooMany) -> Self {
        Problem::from(too_many).into()
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Problem::from(failure).into()
    }
}

impl From<NoQuote> for ApiError {
    fn from(why: NoQuote) -> Self {
        match why {
            NoQuote::NotForMoney => Self::wrong_kind_of_price("The item is not sold for money"),
            NoQuote::Currency => Self::unprocessable(1417, "An item has no price in this currency"),
            NoQuote::NoCommonCurrency => {
                Self::unprocessable(1421, "The items have no currency in common")
            }
            // Listed for virtual purchases: there is no item at such a price.
            NoQuote::VirtualCurrency => Self::item_not_found(),
            NoQuote::TooMuch => Self::incorrect_cart("The items cost more than an order may"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, "application/json")],
            self.rendered().body,
        )
            .into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static(self.challenge);
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::CONFLICT
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS => {
                say_when(headers, self.over);
            }
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
