//! How large arguments may be.

use task_core::signals::TASK_ENQUEUED;
use task_core::{BackendAlias, Backends, ErrorKind, Limits, Task as _, queue};

use crate::scene::own_queue;
use crate::tasks::echo;
use crate::{Heard, Store};

/// What stands around the text of `echo` in its JSON.
const FRAME: usize = r#"{"text":""}"#.len();

/// The store as `default`, accepting so many bytes of arguments.
fn limited(store: &Store, arguments_bytes: usize) -> Backends {
    let limits = Limits {
        arguments_bytes,
        ..Limits::DEFAULT
    };
    Backends::new([BackendAlias::new("default", store.backend().clone(), [], limits)])
}

/// Arguments of exactly the limit are accepted.
pub async fn arguments_of_exactly_the_limit_are_accepted(store: Store) {
    let call = echo::new("x".repeat(100));
    let result = call.enqueue_on(&limited(&store, 100 + FRAME)).await;
    assert_eq!(result.expect("it fits").record().arguments.len(), 100 + FRAME);
}

/// Something is larger than its documented limit. Nothing was written.
pub async fn arguments_over_the_limit_are_too_large_and_reach_no_backend(store: Store) {
    let own = own_queue();
    let heard = Heard::in_queue(&TASK_ENQUEUED, &own);
    let call = echo::new("x".repeat(101)).using(queue(own));
    let error = call
        .enqueue_on(&limited(&store, 100 + FRAME))
        .await
        .expect_err("one byte too many");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let text = error.to_string();
    assert!(text.contains(echo::ENTRY.name()), "{text}");
    assert!(
        text.contains(&(101 + FRAME).to_string()) && text.contains("limit is 111"),
        "{text}"
    );
    assert_eq!(heard.records(), []);
}

/// Arguments of 900 kilobytes come through whole.
pub async fn arguments_of_900_kilobytes_fit_the_default_limit(store: Store) {
    let text = "\u{e9}\"".repeat(225_000);
    let result = echo::new(text.clone()).enqueue_on(&store.backends()).await;
    let result = result.expect("it fits");
    assert_eq!(result.arguments().expect("JSON")["text"], text.as_str());
    if result.is_finished() {
        assert!(result.return_value().expect("it ran") == text, "the same text");
    }
}
