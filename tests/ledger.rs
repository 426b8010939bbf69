//! Many producers and many workers on one store, and what each of their tasks went through.
//!
//! `cargo xtask ledger` runs these for longer and shows a table.

mod system;

#[path = "ledger/crowd.rs"]
mod crowd;
#[path = "ledger/order.rs"]
mod order;
