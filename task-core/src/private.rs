//! Every name that generated code uses. Not for anybody else; may change at any time.

use std::error::Error as StdError;
use std::fmt::Display;
use std::future::{Future, ready};
use std::ops::Deref;

use serde::de::DeserializeOwned;

pub use inventory;
pub use serde;

pub use crate::arguments::{StoredObject, TaskArgument, TaskArguments, read_arguments, required};
pub use crate::backend::kinds::RegisteredKind;
pub use crate::entry::RunFuture;
pub use crate::payload::{decode, encode};
pub use crate::queue_check::check_queue;
pub use crate::registry::Registered;
pub use crate::task::{enqueue_many, get_result};
use crate::{FailureKind, Task, TaskContext, TaskFailure, TaskOutput as _, panic};
pub use task_macros::worker;

/// The queues of a crate that declares none: whatever name is given is checked later.
pub mod undeclared {
    /// No list, so nothing is refused at compile time.
    pub const __TASK_QUEUES: Option<&'static [&'static str]> = None;
}

/// An attempt that failed before it began.
pub fn failed(failure: TaskFailure) -> RunFuture {
    Box::pin(ready(Err(failure)))
}

/// Whether this JSON text can be read as the arguments `T`.
///
/// # Errors
/// The failure an attempt would have.
pub fn check_arguments<T: DeserializeOwned>(json: &str) -> Result<(), TaskFailure> {
    decode::<T>(json).map(drop)
}

/// Runs a function that blocks on the pool made for it; a panic becomes the failure.
///
/// # Errors
/// The panic, or that the runtime is shutting down.
pub async fn run_blocking<T, F>(run: F) -> Result<T, TaskFailure>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    match tokio::task::spawn_blocking(|| panic::catch(run)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(TaskFailure::new(
            FailureKind::Interrupted,
            format!("the blocking pool stopped: {error}"),
        )),
    }
}

/// What `Result<T, E>` returns when all is well.
#[diagnostic::on_unimplemented(
    message = "a task returns a value or a `Result`, and `{Self}` is neither",
    label = "the name ends in `Result`, but it is not `std::result::Result`"
)]
pub trait ResultType {
    /// The `T`.
    type Value;
    /// The `E`.
    type Error;

    /// Itself.
    ///
    /// # Errors
    /// Those it is made of.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> ResultType for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// The return value of `T` as JSON of at most `limit` bytes. Asks for nothing that [`Task`] does not promise, so
/// that a type that cannot be stored is told once, where the task is defined.
///
/// # Errors
/// The value cannot be written as JSON.
pub fn encode_output<T: Task>(output: &T::Output, limit: usize) -> Result<String, TaskFailure> {
    output.encode(limit)
}

/// How many bytes the return value of this attempt may have.
pub fn result_limit(context: &TaskContext) -> usize {
    context.result_bytes()
}

/// Compiles only for a future that may move between threads.
pub fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

/// A borrowed error, so that the three traits below can be tried in turn.
#[derive(Debug)]
pub struct Described<'a, E>(pub &'a E);

/// First choice: a real error, whose sources are kept.
pub trait DescribeError {
    /// The error as data.
    fn task_failure(&self) -> TaskFailure;
}

impl<E: StdError> DescribeError for &&Described<'_, E> {
    fn task_failure(&self) -> TaskFailure {
        TaskFailure::from_error(self.0, std::any::type_name::<E>())
    }
}

/// Second choice: something that points to an error, such as `Box<dyn Error>`.
pub trait DescribeDeref {
    /// The error as data.
    fn task_failure(&self) -> TaskFailure;
}

impl<E> DescribeDeref for &Described<'_, E>
where
    E: Deref,
    E::Target: StdError,
{
    fn task_failure(&self) -> TaskFailure {
        TaskFailure::from_error(&**self.0, std::any::type_name::<E>())
    }
}

/// An error that can at least be printed.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` of a task cannot be stored",
    label = "this error must be `Display`",
    note = "implement `std::fmt::Display` for it, and `std::error::Error` so that its sources are stored as well"
)]
pub trait TaskError {
    /// What it says.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<E: Display + ?Sized> TaskError for E {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// Last choice: anything that can be printed. Offered for every type, so that one that
/// cannot be is told in the words of [`TaskError`].
pub trait DescribeDisplay<E> {
    /// The error as data.
    fn task_failure(&self) -> TaskFailure
    where
        E: TaskError;
}

impl<E> DescribeDisplay<E> for Described<'_, E> {
    fn task_failure(&self) -> TaskFailure
    where
        E: TaskError,
    {
        TaskFailure::new(FailureKind::Error, self.0.text()).of_type(std::any::type_name::<E>())
    }
}

/// The crate of a `module_path!()`: what stands before the first `::`.
pub const fn crate_of(module_path: &'static str) -> &'static str {
    let bytes = module_path.as_bytes();
    let mut end = 0;
    while end < bytes.len() && bytes[end] != b':' {
        end += 1;
    }
    module_path.split_at(end).0
}

/// `crate::function` as bytes, for [`stored_name!`].
pub const fn join<const LENGTH: usize>(crate_name: &str, function: &str) -> [u8; LENGTH] {
    let (left, right) = (crate_name.as_bytes(), function.as_bytes());
    let mut joined = [b':'; LENGTH];
    let mut at = 0;
    while at < left.len() {
        joined[at] = left[at];
        at += 1;
    }
    at = 0;
    while at < right.len() {
        joined[left.len() + 2 + at] = right[at];
        at += 1;
    }
    joined
}

/// The stored name of a function of this crate, as a constant.
#[doc(hidden)]
#[macro_export]
macro_rules! __stored_name {
    ($function:literal) => {{
        const CRATE: &::core::primitive::str = $crate::__private::crate_of(::core::module_path!());
        const LENGTH: ::core::primitive::usize = CRATE.len() + 2 + $function.len();
        const BYTES: [::core::primitive::u8; LENGTH] = $crate::__private::join::<LENGTH>(CRATE, $function);
        match ::core::str::from_utf8(&BYTES) {
            ::core::result::Result::Ok(name) => name,
            ::core::result::Result::Err(_) => ::core::panic!("two names joined are text"),
        }
    }};
}

pub use crate::__stored_name as stored_name;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_name_is_crate_and_function_without_modules() {
        const NAME: &str = stored_name!("greet");
        assert_eq!(NAME, "task_core::greet");
    }

    #[test]
    #[expect(
        clippy::needless_borrow,
        reason = "written as the macro writes it, for every type of error"
    )]
    fn the_error_keeps_as_much_as_its_type_offers() {
        struct Plain;
        impl Display for Plain {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("plain")
            }
        }
        let plain = (&&&Described(&Plain)).task_failure();
        assert_eq!((plain.message.as_str(), plain.sources.len()), ("plain", 0));

        let boxed: Box<dyn StdError + Send + Sync> = crate::Error::new(crate::ErrorKind::State, "outer")
            .because(std::io::Error::other("inner"))
            .into();
        let boxed = (&&&Described(&boxed)).task_failure();
        assert_eq!(boxed.sources, ["inner"]);

        let io = (&&&Described(&std::io::Error::other("disk"))).task_failure();
        assert_eq!(io.error_type, "std::io::error::Error");
    }
}
