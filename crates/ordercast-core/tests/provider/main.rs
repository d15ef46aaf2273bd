//! Providers' webhooks: known signatures, every mutation of them, and what bodies mean.

mod adyen;
mod asked;
mod bodies;
mod coinbase;
mod documented;
mod lemon_squeezy;
mod mollie;
mod paddle;
mod paypal;
mod razorpay;
mod reference;
mod rows;
mod said;
mod signatures;
mod standard;
mod stripe;
mod tebex;
mod traps;
