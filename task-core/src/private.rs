//! Every name that generated code uses. Not for anybody else; may change at any time.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::Display;
use std::future::{Future, ready};
use std::ops::Deref;
use std::pin::Pin;

use serde::de::DeserializeOwned;

pub use inventory;
pub use serde;

pub use crate::arguments::{
    MissingArgument, StoredObject, TaskArgument, TaskArguments, WrittenObject, read_arguments,
};
pub use crate::backend::kinds::RegisteredKind;
pub use crate::entry::RunFuture;
pub use crate::payload::{decode, encode};
pub use crate::queue_check::check_queue;
pub use crate::registry::Registered;
pub use crate::schedule::Calendar;
use crate::{
    FailureKind, Task, TaskCall, TaskContext, TaskFailure, TaskId, TaskOutput as _, TaskResult, TaskVerdict,
    panic, task,
};
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

/// A future that may go to another thread, as [`enqueue`] and its like return it. That it may is
/// found out once, here, and not again for every task.
type Boxed<T> = Pin<Box<dyn Future<Output = crate::Result<T>> + Send>>;

/// Puts a call in its queue.
pub fn enqueue<T: Task>(call: TaskCall<T>) -> Boxed<TaskResult<T::Output>> {
    Box::pin(call.enqueue())
}

/// Puts calls in their queues.
pub fn enqueue_many<T: Task>(
    calls: impl IntoIterator<Item = TaskCall<T>>,
) -> Boxed<Vec<TaskResult<T::Output>>> {
    Box::pin(task::enqueue_many(calls.into_iter().collect()))
}

/// The result of the call with this id.
pub fn get_result<T: Task>(id: TaskId) -> Boxed<TaskResult<T::Output>> {
    Box::pin(task::get_result::<T>(id))
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
    // What the function logs belongs to the attempt, on whatever thread it runs.
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(|| panic::catch(run))).await {
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
    label = "the name ends in `Result`, but it is not `std::result::Result`",
    note = "give the type another name, or return `Result<{Self}, E>`"
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

/// The return value of `T` as JSON of at most `limit` bytes. Asks for nothing that [`Task`]
/// does not promise, so that a type that cannot be stored is told once, where the task is
/// defined.
///
/// # Errors
/// The value cannot be written as JSON.
#[expect(
    clippy::needless_pass_by_value,
    reason = "passed as a function to what holds the value"
)]
pub fn finish<T: Task>(output: T::Output, limit: usize) -> Result<String, TaskFailure> {
    output.encode(limit)
}

/// An attempt of an async task: reads the arguments, makes the call, waits for it and finishes.
pub fn run_async<T: Task, F>(
    arguments: &str,
    context: TaskContext,
    call: impl FnOnce(T, TaskContext) -> F,
    finish: impl FnOnce(F::Output, usize) -> Result<String, TaskFailure> + Send + 'static,
) -> RunFuture
where
    F: Future + Send + 'static,
{
    match decode::<T>(arguments) {
        Ok(arguments) => {
            let limit = context.result_bytes();
            let running = call(arguments, context);
            Box::pin(async move { finish(running.await, limit) })
        }
        Err(failure) => failed(failure),
    }
}

/// An attempt of a task that blocks, on the pool made for it. The return value is finished there
/// as well: neither it nor an error has to move between threads.
pub fn run_on_the_pool<T: Task, R>(
    arguments: &str,
    context: TaskContext,
    call: impl FnOnce(T, TaskContext) -> R + Send + 'static,
    finish: impl FnOnce(R, usize) -> Result<String, TaskFailure> + Send + 'static,
) -> RunFuture {
    match decode::<T>(arguments) {
        Ok(arguments) => {
            let limit = context.result_bytes();
            Box::pin(async move {
                let thread = context.enter_thread();
                run_blocking(move || {
                    let _thread = thread;
                    finish(call(arguments, context), limit)
                })
                .await?
            })
        }
        Err(failure) => failed(failure),
    }
}

/// A borrowed error, so that the four traits below can be tried in turn.
#[derive(Debug)]
pub struct Described<'a, E>(pub &'a E);

/// Before all others: an error that says what becomes of its task.
pub trait DescribeVerdict {
    /// The error as data.
    fn task_failure(&self) -> TaskFailure;
}

impl<E: TaskVerdict> DescribeVerdict for &&&Described<'_, E> {
    fn task_failure(&self) -> TaskFailure {
        TaskFailure::from_error(self.0, std::any::type_name::<E>()).with_verdict(self.0.verdict())
    }
}

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
    E: Deref + 'static,
    E::Target: StdError,
{
    fn task_failure(&self) -> TaskFailure {
        if let Some(error) = (self.0 as &dyn Any).downcast_ref::<crate::TaskError>() {
            return error.task_failure();
        }
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

/// `crate::function`, put together by the compiler.
pub struct StoredName {
    bytes: [u8; MAX_NAME_BYTES],
    length: usize,
}

impl StoredName {
    /// The stored name of a function in this module: modules are not part of it.
    ///
    /// # Panics
    /// It is longer than a name may be. The compiler stops there.
    pub const fn of(module_path: &str, function: &str) -> Self {
        let name = Self {
            bytes: [0; MAX_NAME_BYTES],
            length: 0,
        };
        let module_path = module_path.as_bytes();
        let mut end = 0;
        while end < module_path.len() && module_path[end] != b':' {
            end += 1;
        }
        name.with(module_path.split_at(end).0)
            .with(b"::")
            .with(function.as_bytes())
    }

    const fn with(mut self, bytes: &[u8]) -> Self {
        assert!(
            self.length + bytes.len() <= MAX_NAME_BYTES,
            "the stored name of this task, `crate::function`, is too long: write `name = \"..\"` with at most 200 bytes"
        );
        let mut index = 0;
        while index < bytes.len() {
            self.bytes[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    /// The name.
    pub const fn text(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => panic!("two names joined are text"),
        }
    }
}

/// The longest stored name, which is also what `name = ".."` may have.
const MAX_NAME_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_name_is_crate_and_function_without_modules() {
        const NAME: &str = const { &StoredName::of("app::mail::outgoing", "greet") }.text();
        assert_eq!(NAME, "app::greet");
        assert_eq!(StoredName::of("app", &"a".repeat(195)).text().len(), 200);
    }

    #[test]
    #[should_panic(expected = "is too long")]
    fn a_stored_name_has_a_limit() {
        StoredName::of("app", &"a".repeat(196));
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
        let plain = (&&&&Described(&Plain)).task_failure();
        assert_eq!((plain.message.as_str(), plain.sources.len()), ("plain", 0));

        let boxed: Box<dyn StdError + Send + Sync> = crate::Error::new(crate::ErrorKind::State, "outer")
            .because(std::io::Error::other("inner"))
            .into();
        let boxed = (&&&&Described(&boxed)).task_failure();
        assert_eq!(boxed.sources, ["inner"]);

        let io = (&&&&Described(&std::io::Error::other("disk"))).task_failure();
        assert_eq!(io.error_type, "std::io::error::Error");
    }
}
