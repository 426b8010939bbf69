//! What a task may return.

use std::error::Error;
use std::fmt;

use task_core::task;

type AppResult<T> = Result<T, AppError>;
type Outcome = String;

#[derive(Debug)]
pub enum AppError {}

impl fmt::Display for AppError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

#[task]
async fn nothing() {}

#[task]
async fn unit() -> () {}

#[task]
async fn value() -> Outcome {
    Outcome::new()
}

#[task]
async fn pair() -> (u8, Vec<Option<u8>>) {
    (1, vec![None])
}

#[task]
async fn alias() -> AppResult<u8> {
    Ok(1)
}

#[task]
async fn io() -> std::io::Result<()> {
    Ok(())
}

#[task]
async fn format() -> fmt::Result {
    Ok(())
}

#[task]
async fn boxed() -> Result<u8, Box<dyn Error>> {
    Ok("1".parse::<u8>()?)
}

#[task]
fn sync_and_boxed() -> Result<u8, Box<dyn Error>> {
    Ok("1".parse::<u8>()?)
}

#[task]
async fn text() -> Result<u8, &'static str> {
    Err("no")
}

#[task]
async fn title() -> std::borrow::Cow<'static, str> {
    "Countess".into()
}

#[task]
async fn shared() -> Result<u8, std::sync::Arc<AppError>> {
    Ok(1)
}

/// The type is private and the function is not: the function's own business, as elsewhere.
mod visible {
    #[derive(Debug)]
    struct Hidden;

    impl std::fmt::Display for Hidden {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("hidden")
        }
    }

    #[allow(private_interfaces)]
    #[task_core::task]
    pub async fn hides_its_error() -> Result<u8, Hidden> {
        Err(Hidden)
    }
}

fn result_is<T>(_: impl Future<Output = task_core::Result<task_core::TaskResult<T>>>) {}

fn main() {
    result_is::<()>(nothing::enqueue());
    result_is::<()>(unit::enqueue());
    result_is::<String>(value::enqueue());
    result_is::<(u8, Vec<Option<u8>>)>(pair::enqueue());
    result_is::<u8>(alias::enqueue());
    result_is::<()>(io::enqueue());
    result_is::<()>(format::enqueue());
    result_is::<u8>(boxed::enqueue());
    result_is::<u8>(sync_and_boxed::enqueue());
    result_is::<u8>(text::enqueue());
    result_is::<std::borrow::Cow<'static, str>>(title::enqueue());
    result_is::<u8>(shared::enqueue());
    result_is::<u8>(visible::hides_its_error::enqueue());
}
