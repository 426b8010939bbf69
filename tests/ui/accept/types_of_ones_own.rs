//! Arguments and results of the user's own types, at every visibility.
#![deny(warnings)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use task_core::task;

#[derive(Serialize, Deserialize, Default)]
pub struct Order {
    pub items: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
struct Draft(Vec<Order>);

#[task]
pub async fn ship(order: Order, #[task(default)] gift: Order, fixed: [u8; 4]) -> Order {
    drop((gift, fixed));
    order
}

#[task]
async fn save(draft: Draft) -> Draft {
    draft
}

mod shop {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Price(pub(super) u32);

    #[task_core::task]
    pub(super) async fn pay(price: Price) -> Price {
        price
    }

    #[task_core::task]
    pub(in crate::shop) async fn refund(price: Price) -> Price {
        price
    }

    pub(super) fn back() {
        drop(refund::enqueue(Price(1)));
    }
}

fn main() {
    drop(ship::enqueue(Order::default(), Order::default(), [1, 2, 3, 4]));
    drop(save::enqueue(Draft(Vec::new())));
    drop(shop::pay::enqueue(shop::Price(1)));
    shop::back();
}
