//! Tasks as people write them. One source for two editions: this package compiles it in 2021, the
//! package `tests` in 2024. All lints of the compiler and of clippy are denied, so that `cargo clippy`
//! finds whatever the macro writes that no person would get away with.
#![deny(
    warnings,
    unused,
    missing_docs,
    nonstandard_style,
    future_incompatible,
    rust_2018_idioms
)]
#![deny(
    rust_2021_compatibility,
    rust_2024_compatibility,
    unreachable_pub,
    unused_qualifications
)]
#![deny(
    missing_debug_implementations,
    missing_copy_implementations,
    single_use_lifetimes
)]
#![deny(
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop,
    unit_bindings,
    unused_results
)]
#![deny(
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::todo
)]
#![deny(
    clippy::needless_pass_by_value,
    clippy::dbg_macro,
    clippy::exit,
    clippy::mem_forget
)]
#![forbid(unsafe_code)]
// It asks for the opposite of `unreachable_pub`.
#![allow(clippy::redundant_pub_crate)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use task_core::{TaskContext, task};

task_core::queues! { default, special }

/// What somebody orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How many of what.
    pub items: BTreeMap<String, u32>,
}

/// Takes values that it only reads: a worker has nobody to borrow them from.
#[task]
#[must_use]
pub fn print(
    name: String,
    picture: PathBuf,
    order: Order,
    notes: Vec<String>,
    #[task(default)] times: u32,
) -> usize {
    name.len() + picture.as_os_str().len() + order.items.len() + notes.len() + times as usize
}

/// Takes the context and only reads it.
#[task(takes_context, queue = "special", metadata(team = "mail", cost = 3))]
#[must_use]
pub fn attempt(context: TaskContext) -> u32 {
    context.attempt()
}

/// Is watched: the span stands above.
///
/// # Errors
/// The name is empty.
#[tracing::instrument(skip(name))]
#[task(queue = queues::SPECIAL, max_attempts = 3, timeout = "1m")]
pub async fn watched_from_above(name: String) -> Result<String, std::io::Error> {
    tokio::task::yield_now().await;
    if name.is_empty() {
        return Err(std::io::Error::other("no name"));
    }
    Ok(name)
}

/// Is watched: the span stands below.
#[task]
#[tracing::instrument]
pub async fn watched_from_below(name: String, times: Option<u32>) -> String {
    tokio::task::yield_now().await;
    name.repeat(times.unwrap_or(1) as usize)
}

/// Is there on every system; its second argument on none.
#[cfg(not(any()))]
#[cfg_attr(not(any()), task(name = "editions::conditional"))]
#[must_use]
pub fn conditional(#[cfg(not(any()))] here: String, #[cfg(any())] gone: Missing) -> String {
    here
}

/// Is old.
#[task]
#[deprecated(note = "use `print`")]
#[must_use]
pub fn old(name: String) -> String {
    name
}

#[allow(dead_code)]
#[task]
fn private(secret: String) -> usize {
    secret.len()
}

/// Keywords of one edition or the other, as names.
#[task]
pub async fn r#gen(r#async: u8, r#type: u8) -> u8 {
    tokio::task::yield_now().await;
    r#async + r#type
}

mod inner {
    //! Where nothing is visible from outside.

    /// Has its own visibility.
    #[task_core::task]
    pub(super) fn inside(name: String) -> String {
        name
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use task_backends::ImmediateBackend;
    use task_core::{Backends, Task};

    use super::*;

    #[tokio::test]
    async fn tasks_run_in_this_edition() {
        let backends = Backends::single(Arc::new(ImmediateBackend::new()));
        let printed = print::new("Ada", "ada.png", Order::default(), ["a".to_owned()], 2)
            .enqueue_on(&backends)
            .await
            .expect("accepted");
        assert_eq!(printed.return_value().expect("it ran"), 13);
        let above = watched_from_above::new("Ada")
            .enqueue_on(&backends)
            .await
            .expect("accepted");
        assert_eq!(above.return_value().expect("it ran"), "Ada");
        let below = watched_from_below::new("Ada", 2)
            .enqueue_on(&backends)
            .await
            .expect("accepted");
        assert_eq!(below.return_value().expect("it ran"), "AdaAda");
        let conditional = conditional::new("Ada")
            .enqueue_on(&backends)
            .await
            .expect("accepted");
        assert_eq!(conditional.return_value().expect("it ran"), "Ada");
        let sum = r#gen::new(1, 2).enqueue_on(&backends).await.expect("accepted");
        assert_eq!(sum.return_value().expect("it ran"), 3);
        let attempts = attempt::new().enqueue_on(&backends).await.expect("accepted");
        assert_eq!(attempts.return_value().expect("it ran"), 1);
        let inside = inner::inside::new("Ada")
            .enqueue_on(&backends)
            .await
            .expect("accepted");
        assert_eq!(inside.return_value().expect("it ran"), "Ada");
    }

    #[test]
    fn functions_are_still_functions() {
        assert_eq!(private("Ada".to_owned()), 3);
        assert_eq!(conditional::ENTRY.name(), "editions::conditional");
        assert_eq!(attempt::ENTRY.default_metadata(), r#"{"team":"mail","cost":3}"#);
        #[allow(deprecated)]
        let again = old(old::new("Ada").arguments().name.clone());
        assert_eq!(again, "Ada");
    }
}
