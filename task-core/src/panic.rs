//! Turning a panic into data, with the place it came from.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::{FailureKind, TaskFailure};

thread_local! {
    /// Where this thread panicked last.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on every panic leaves its place behind. The hook that was there before
/// still runs, so panics are printed as always.
pub(crate) fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LAST.set(info.location().map(ToString::to_string));
            before(info);
        }));
    });
}

/// The failure of a panic that was caught on this very thread a moment ago.
pub(crate) fn failure(panic: &(dyn Any + Send)) -> TaskFailure {
    let message = panic
        .downcast_ref::<&'static str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    TaskFailure::new(FailureKind::Panic, message)
        .of_type("panic")
        .at(LAST.take())
}

/// Runs a closure; a panic in it becomes the failure.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, TaskFailure> {
    remember_places();
    // The closure owns what it touches; nothing half-changed is seen afterwards.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| failure(panic.as_ref()))
}
