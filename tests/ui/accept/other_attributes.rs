//! Other attributes stay on the function; what is said about the task goes along.
#![deny(unused, deprecated, missing_docs)]
#![allow(unused_attributes)]

use task_core::{Task, task};

/// Says hello.
#[task]
#[inline]
#[must_use]
pub fn greet(name: String) -> String {
    name
}

#[cfg_attr(all(), doc = "Waves.")]
#[task]
#[cfg(all())]
#[cfg_attr(all(), inline)]
#[expect(unused_variables, reason = "it is only waving")]
pub fn wave(#[cfg(all())] name: String, #[cfg(any())] missing: Missing, #[allow(unused)] times: u32) {}

/// Said hello.
#[task]
#[deprecated(note = "use `greet`")]
pub fn greeted(name: String) -> String {
    name
}

#[doc(hidden)]
#[task]
#[track_caller]
#[allow(non_snake_case)]
pub fn Greet(someName: String) -> String {
    someName
}

/// Not there.
#[task]
#[cfg(any())]
pub fn gone(missing: Missing) -> Missing {
    missing
}

#[cfg(any())]
#[task(queue = "whatever")]
pub fn gone_before(missing: Missing) {}

fn gone() -> u8 {
    1
}

fn main() {
    assert_eq!(greet("Ada".to_owned()), "Ada");
    assert_eq!(greet::ENTRY.description(), "Says hello.");
    assert_eq!(wave::ENTRY.description(), "Waves.");
    assert_eq!(serde_json::to_string(wave::new("Ada", 1).arguments()).ok().as_deref(), Some(r#"{"name":"Ada","times":1}"#));
    #[allow(deprecated)]
    drop(greeted::new("Ada"));
    drop(Greet::new("Ada"));
    assert_eq!(gone(), 1);
}
