//! The tasks of a program as they were. A crate of its own: of two definitions with one name,
//! one crate can have but one.

use task_core::task;

/// Pays.
#[task(name = "shop::pay")]
pub async fn pay(cost: u32, tip: u32) -> String {
    format!("{cost} and {tip}")
}

/// Ships.
#[task(name = "shop::ship")]
pub async fn ship(order: u32) -> u32 {
    order
}

/// Delivers.
#[task(name = "shop::deliver")]
pub async fn deliver(order: u32) -> u32 {
    order
}

/// Counts.
#[task(name = "shop::count")]
pub async fn count(order: u32) -> u32 {
    order
}
