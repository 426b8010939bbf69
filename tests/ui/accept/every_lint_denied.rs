//! Lints are about code that a person wrote.
#![deny(warnings, missing_docs, unused, nonstandard_style, rust_2018_idioms, rust_2024_compatibility)]
#![deny(unused_qualifications, unreachable_pub, missing_debug_implementations, missing_copy_implementations)]
#![deny(single_use_lifetimes, trivial_casts, let_underscore_drop, unit_bindings, private_interfaces)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::unwrap_used)]
#![forbid(unsafe_code)]

use std::path::PathBuf;

use task_core::{TaskContext, task};

task_core::queues! { default, special }

/// Says hello.
#[task(queue = "special", takes_context)]
pub async fn greet(context: TaskContext, name: String, picture: Option<PathBuf>) -> Result<String, std::io::Error> {
    std::future::ready(()).await;
    Ok(format!("{name} {picture:?} {}", context.attempt()))
}

/// Adds.
#[task]
fn add(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
    a + b + c + d + e + f + g
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Secret(u8);

#[task]
fn keep(secret: Secret) -> Secret {
    secret
}

mod inner {
    /// Nobody ever calls it.
    #[task_core::task]
    pub(crate) fn forgotten() {}
}

/// Starts.
fn main() {
    drop(add::new(1, 2, 3, 4, 5, 6, 7));
    drop(keep::new(Secret(1)));
}
