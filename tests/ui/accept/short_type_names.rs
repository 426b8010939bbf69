//! Types of one letter are the user's, also where generated code has type parameters.

use serde::{Deserialize, Serialize};
use task_core::task;

#[derive(Serialize, Deserialize)]
pub struct A(pub u8);

#[derive(Serialize, Deserialize)]
pub struct D(pub u8);

#[derive(Serialize, Deserialize, Default)]
pub struct S(pub u8);

type T = u8;
type E = String;
type F = Option<A>;

#[task]
async fn letters(a: A, d: D, #[task(default)] s: S, t: T, f: F) -> Result<T, E> {
    Ok(a.0 + d.0 + s.0 + t + f.map_or(0, |a| a.0))
}

fn main() {
    drop(letters::new(A(1), D(2), S(3), 4, None));
}
