//! Providers' webhooks: known signatures, every mutation of them, and what bodies mean.

mod adyen;
mod bodies;
mod documented;
mod paddle;
mod paypal;
mod razorpay;
mod rows;
mod signatures;
mod stripe;
mod traps;
