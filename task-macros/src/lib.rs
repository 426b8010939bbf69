//! The macros of the task framework: [`macro@task`], [`queues!`] and [`worker!`].
//!
//! Use them through `task_core` (and `worker!` through `task_worker`): what they write
//! names only that crate. Examples that run are there, too.
//!
//! The way of a `#[task]` through this crate is the order of its files: `attributes`
//! and `item` read what was written, `signature` says which functions can be tasks,
//! `expand` writes the struct, its functions, the entry and the checks. All mistakes are
//! collected on the way and told at once, each at the token that is wrong; `fallback`
//! keeps the rest of the program compiling meanwhile.

mod attributes;
mod backoff;
mod cron;
mod duration;
mod expand;
mod fallback;
mod forward;
mod item;
mod metadata;
mod mistakes;
mod names;
mod parameters;
mod paths;
mod queues;
mod schedule;
mod settings;
mod signature;
mod suggest;
mod types;
mod unique;
mod worker;

use proc_macro::TokenStream;

/// Makes a function a task: it can then be enqueued, and run by a worker.
///
/// ```text
/// /// Say hello.
/// #[task(priority = 10, queue = "special", takes_context)]
/// pub async fn greet(context: TaskContext, name: String) -> Result<String, GreetError> { .. }
///
/// greet::enqueue("Ada").await?;                              // in its queue
/// greet::new("Ada").using(priority(50)).enqueue().await?;    // with other options
/// greet::enqueue_many(names.map(greet::new)).await?;         // many at once
/// greet::get_result(id).await?;                              // what became of it
/// greet(context, "Ada".to_owned()).await?;                   // still a function
/// ```
///
/// The function stays as it is. Beside it appears a struct of the same name with the
/// arguments as fields, so that one `use` brings both. The first line of the
/// documentation is the description people see.
///
/// # Keys
///
/// | Key | Value | Without it |
/// | --- | --- | --- |
/// | `priority` | integer, -100 to 100, larger runs sooner | 0 |
/// | `queue` | `"special"`, compared with [`queues!`] where the crate has one, or a constant such as `queues::SPECIAL`; at most 100 bytes | `default`, not compared |
/// | `backend` | the alias of a backend, `"reports"`; 1 to 64 ASCII letters, digits, `-` or `_` | `default` |
/// | `takes_context` | no value; the first parameter is a `TaskContext` | no context |
/// | `name` | the stored name, `"billing::charge"`; 1 to 200 bytes without blanks | `crate::function`, without modules |
/// | `aliases` | older names, `["old::name"]`: tasks queued under them still run | none |
/// | `max_attempts` | integer, 1 to 1000000 | 1 |
/// | `max_lost` | how many workers may be lost under it, 0 to 1000000; 0 makes it at-most-once | 3 |
/// | `backoff` | how long to wait between attempts: `"exponential 1s..10m"` doubles, `"linear 10s..5m"` adds, `"fixed 30s"`; ` jitter` behind it shortens each wait by up to a quarter at random | `"exponential 1s..10m jitter"` |
/// | `timeout` | the time one attempt may take: `"30s"`, `"1m 30s"`, `"1h30m"`; units ms, s, m, h, d; at most 3650d. A task with context has 5 s more to end by itself | no limit |
/// | `every` | the task enqueues itself, `"5m"`: at every whole multiple of that time since 1970 in UTC; at least 1s | no schedule |
/// | `cron` | the task enqueues itself, `"0 3 * * MON-FRI"`: minute, hour, day of the month, month, day of the week, each `*`, values, names, ranges, steps and lists of them; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where both days are given one of them is enough | no schedule |
/// | `timezone` | the time zone of `cron`, `"Europe/Berlin"` | `"UTC"` |
/// | `missed` | of the ticks for which no worker was there: `"once"` enqueues the latest, `"skip"` none that is more than a minute late, `"all"` each, but at most the latest 100 | `"once"` |
/// | `unique` | the store keeps one at a time: `"args"` of calls with the same arguments, `"task"` of all calls, `["user"]` of calls with the same `user` | any number |
/// | `unique_until` | until when it keeps others out: `"started"` or `"ended"` | `"ended"` |
/// | `unique_for` | the same as a time since it was enqueued, `"10m"` | |
/// | `metadata` | what the application says about the task, `metadata(team = "billing", cost = 3)`: names and texts, numbers, `true` or `false`; at most 16 KiB as JSON | none |
/// | `crate` | path of `task_core` where the dependency is renamed | `::task_core` |
///
/// A task with `every` or `cron` runs without arguments: those it has must have a default.
///
/// # Functions
///
/// Async functions and others; the others run on the pool for blocking work. They
/// return nothing, a value, or a `Result` whose error can be printed. A return type is
/// taken for a `Result` when its name ends in `Result`.
///
/// Arguments are stored under their names as JSON. `#[task(default)]` on an argument, or
/// the type `Option`, lets it be missing in tasks that were queued before it existed;
/// `#[task(alias = "old_name")]`, or a list of names, lets it be found in tasks that were
/// queued before it was renamed.
/// Where callers would write `.to_owned()` or `.into()` (`String`, `PathBuf`, `OsString`,
/// `Vec`, `Box`, `Arc`, `Cow`, `Bytes`, `Option`) `new` and `enqueue` do it for them.
///
/// Refused, with an error that says so: methods, generic functions, references,
/// `impl Trait`, patterns, `const`, `unsafe` and `extern` functions, and types that cannot
/// be stored. `docs/diagnostics.md` shows every message.
///
/// # Surprises
///
/// - Two tasks of one stored name in one crate do not compile, even in different modules:
///   the name is `crate::function` without modules. The error calls it
///   `stored_task_name__crate__function`; give one of them `name = ".."`.
/// - Names of functions and arguments that begin with `__` are reserved.
/// - A module and a task of one name cannot stand in one place: both are types.
/// - A visible function cannot return a private type: its name is part of the struct's
///   interface.
/// - `warn` and `deny` attributes stay on the function; `allow`, `expect`, `deprecated`
///   and documentation also go on the struct; all others are the function's alone.
#[proc_macro_attribute]
pub fn task(list: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(list.into(), &item.into()).into()
}

/// Declares the queues of a crate, so that the compiler checks their names. For the
/// crate root, once.
///
/// ```text
/// task_core::queues! { default, special, "high-priority" }
///
/// #[task(queue = "specail")]                            // does not compile
/// greet::new("Ada").using(queue(queues::SPECIAL))       // the compiler knows it
/// ```
///
/// A name is an identifier or a string literal of at most 100 bytes that does not begin
/// or end with a blank. Each becomes a constant of the module `queues`: upper case,
/// with `_` for everything that is no letter or digit.
///
/// A crate without `queues!` may write any name; it is then checked when a task is
/// enqueued. Another crate's list is taken over with
/// `pub use shared::{__TASK_QUEUES, queues};`. Where the dependency is renamed, begin
/// with `crate = my_task_core;`.
#[proc_macro]
pub fn queues(list: TokenStream) -> TokenStream {
    queues::expand(list.into()).into()
}

/// Writes the `main` of a worker binary.
///
/// ```text
/// task_worker::worker! { tasks = [app, billing::tasks] }
/// ```
///
/// `tasks` names the crates whose tasks the worker runs, or modules in them. It matters:
/// the linker leaves out a crate that is mentioned nowhere, and the tasks with it.
/// `crate` stands for the binary itself. An empty list compiles, and the worker refuses
/// to start.
///
/// `cli` is the path of the command line crate, `::task_cli` unless it was renamed.
#[proc_macro]
pub fn worker(list: TokenStream) -> TokenStream {
    worker::expand(list.into()).into()
}
