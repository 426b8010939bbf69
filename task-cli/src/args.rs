//! What can be typed: commands, flags and their environment twins.
//!
//! The twin of a flag of `run`, of `--backend` and of `--json` is `TASK_<FLAG>`. Flags of the
//! other commands mean something else under the same name, so their twins begin with the
//! command: `TASK_PRUNE_QUEUE` is not `TASK_QUEUE`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use task_core::{DEFAULT_ALIAS, Page, RunAfter, TaskStatus};

use crate::names::Names;
use crate::{duration, exit, logging};

mod operate;
mod share;

pub(crate) use operate::{CancelArgs, PauseArgs, ResumeArgs};
pub(crate) use share::Share;
use share::ShareArgs;

/// The most tasks that one worker runs at a time.
const MOST_CONCURRENT: u64 = 100_000;

/// The most tasks that one worker keeps in memory beyond those.
const MOST_PREFETCHED: u64 = 1_000_000;

/// The most attempts of one task, as for `#[task]`.
const MOST_ATTEMPTS: i64 = 1_000_000;

/// The longest that a worker pauses before its first claim.
const LONGEST_STARTUP_DELAY: Duration = Duration::from_secs(1);

/// The longest name of a worker, in bytes.
const MAX_WORKER_ID_BYTES: usize = 64;

/// Run tasks, enqueue and watch them, look after what is kept.
#[derive(Debug, Parser)]
#[command(
    name = "worker",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 110,
    after_help = exit::HELP
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: LogArgs,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with_all = ["quiet", "log"])]
    pub(crate) verbose: u8,
    /// Say only what is wrong; twice for errors alone
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "log")]
    pub(crate) quiet: u8,
    /// A level (off, error, warn, info, debug, trace), or a filter such as `info,task_worker=debug`
    /// [default: info] [env: TASK_LOG]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = logging::check)]
    pub(crate) log: Option<String>,
    /// How log lines look [default: text] [env: TASK_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For programs: one JSON object in each line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run tasks until told to stop (Ctrl+C, SIGTERM; once more forces)
    Run(RunArgs),
    /// The tasks this binary can run
    Tasks(TasksArgs),
    /// Hand in a task and print its id
    Enqueue(EnqueueArgs),
    /// Everything known about one task
    Show(OneArgs),
    /// Tasks, the one enqueued last first
    List(ListArgs),
    /// Wait until a task has ended and print what it returned
    Wait(WaitArgs),
    /// Let failed or canceled tasks run again
    Retry(ManyArgs),
    /// Ask for tasks to end: waiting ones at once, running ones soon
    Cancel(CancelArgs),
    /// Let no worker take tasks of a queue or of a name until it is resumed
    Pause(PauseArgs),
    /// Let workers take tasks of a queue or of a name again
    Resume(ResumeArgs),
    /// The queues and tasks that are paused
    Paused(StoreArgs),
    /// Delete tasks that finished long ago
    Prune(PruneArgs),
    /// Bring the stored data to this program's schema version
    Migrate(MigrateArgs),
    /// Whether settings, backends and tasks fit together
    Check(CheckArgs),
    /// How many tasks of each queue are in each state
    Counts(StoreArgs),
    /// The workers that are alive or have not been given up yet
    Workers(StoreArgs),
    /// The tasks that enqueue themselves, with their last and next tick
    Schedules(StoreArgs),
    /// Queues, rates and workers, live; `q` ends
    Top(TopArgs),
    /// Print what makes a shell complete commands and flags
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Take tasks from these queues, separated by commas; `*` means all
    #[arg(long, env = "TASK_QUEUE", value_name = "NAMES", default_value = "*", value_parser = Names::parse)]
    pub(crate) queue: Names,
    /// Never take tasks from these queues; only together with all queues
    #[arg(long, env = "TASK_EXCLUDE_QUEUES", value_name = "NAMES", value_parser = Names::parse_optional)]
    pub(crate) exclude_queues: Option<Names>,
    /// The alias of the backend in tasks.toml
    #[arg(long, env = "TASK_BACKEND", value_name = "ALIAS", default_value = DEFAULT_ALIAS)]
    pub(crate) backend: String,
    /// How many tasks run at a time
    #[arg(long, env = "TASK_CONCURRENCY", value_name = "N", default_value = "100",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=MOST_CONCURRENT))]
    pub(crate) concurrency: usize,
    #[command(flatten)]
    share: ShareArgs,
    /// The most tasks kept in memory beyond the running ones
    #[arg(long, env = "TASK_PREFETCH", value_name = "N", default_value = "5000",
          value_parser = RangedU64ValueParser::<usize>::new().range(0..=MOST_PREFETCHED))]
    pub(crate) prefetch: usize,
    /// How long this worker may be silent before its tasks are given to others; at least 1s
    #[arg(long, env = "TASK_LEASE", value_name = "DURATION", default_value = "30s", value_parser = duration::parse_lease)]
    pub(crate) lease: Duration,
    /// How often to look for tasks where nothing wakes the worker
    #[arg(long, env = "TASK_INTERVAL", value_name = "DURATION", default_value = "1s", value_parser = duration::parse_interval)]
    pub(crate) interval: Duration,
    /// Claim at once; otherwise a worker first pauses for a random time of up to a second, or up to
    /// --interval where that is shorter
    #[arg(long, env = "TASK_NO_STARTUP_DELAY", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) no_startup_delay: bool,
    /// How long to wait at the start for a backend that cannot be reached [default: as long as it
    /// takes; with --batch not at all]
    #[arg(long, env = "TASK_START_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    start_timeout: Option<Duration>,
    /// How long running tasks may go on after the first signal to stop
    #[arg(long, env = "TASK_STOP_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub(crate) stop_timeout: Duration,
    /// Run what is due, then end
    #[arg(long, env = "TASK_BATCH", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) batch: bool,
    /// Start again when this program's file was replaced: gives running tasks back, then runs the new
    /// file with the same arguments
    #[arg(long, env = "TASK_RELOAD", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    reload: bool,
    /// Do not start again, whatever --reload and TASK_RELOAD say
    #[arg(long)]
    no_reload: bool,
    /// End after this many tasks
    #[arg(long, env = "TASK_MAX_TASKS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_tasks: Option<u64>,
    /// Delete tasks of this backend that finished so long ago, of all queues, while this worker runs
    /// [default: they stay until somebody prunes them]
    #[arg(long, env = "TASK_KEEP", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) keep: Option<Duration>,
    /// Answer /live, /ready and /metrics over HTTP on this address, such as 127.0.0.1:9464 [default:
    /// none]
    #[cfg(feature = "http")]
    #[arg(long, env = "TASK_HTTP", value_name = "ADDRESS", value_parser = socket_address)]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// The name of this worker, 1 to 64 bytes, unique among living workers [default: host-pid-random]
    #[arg(long, env = "TASK_WORKER_ID", value_name = "ID", value_parser = worker_id)]
    pub(crate) worker_id: Option<String>,
}

impl RunArgs {
    /// Whether to start again when the program was replaced.
    pub(crate) fn reload(&self) -> bool {
        self.reload && !self.no_reload
    }

    /// How long to wait for a backend at the start.
    pub(crate) fn start_timeout(&self) -> Duration {
        let default = if self.batch { Duration::ZERO } else { Duration::MAX };
        self.start_timeout.unwrap_or(default)
    }

    /// The longest pause before the first claim.
    pub(crate) fn startup_delay(&self) -> Duration {
        if self.no_startup_delay || self.batch {
            Duration::ZERO
        } else {
            self.interval.min(LONGEST_STARTUP_DELAY)
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TasksArgs {
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EnqueueArgs {
    /// The name of the task, as `tasks` lists it, or an alias
    pub(crate) name: String,
    /// The arguments: a JSON object with the parameters' names; `-` reads standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) arguments: String,
    /// The queue it waits in [default: the task's own]
    #[arg(long, env = "TASK_ENQUEUE_QUEUE", value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// -100 to 100, larger runs sooner [default: the task's own]
    #[arg(long, env = "TASK_ENQUEUE_PRIORITY", value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(-100..=100))]
    pub(crate) priority: Option<i32>,
    /// From when on it may run: a length of time from now, or a moment as in 2030-01-31T08:00:00Z
    #[arg(long, env = "TASK_ENQUEUE_RUN_AFTER", value_name = "WHEN", value_parser = duration::parse_run_after)]
    pub(crate) run_after: Option<RunAfter>,
    /// The alias of the backend to keep it in [default: the task's own]
    #[arg(long, env = "TASK_ENQUEUE_BACKEND", value_name = "ALIAS")]
    pub(crate) backend: Option<String>,
    /// How many attempts may fail by the task's own fault [default: the task's own]
    #[arg(long, env = "TASK_ENQUEUE_MAX_ATTEMPTS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=MOST_ATTEMPTS))]
    pub(crate) max_attempts: Option<u32>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The id that `enqueue` or `list` printed
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ManyArgs {
    /// The ids that `enqueue` or `list` printed
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only tasks in these states, separated by commas
    #[arg(long, env = "TASK_LIST_STATUS", value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    pub(crate) status: Vec<TaskStatus>,
    /// Only tasks of these queues, separated by commas
    #[arg(long, env = "TASK_LIST_QUEUE", value_name = "NAMES", value_parser = Names::parse)]
    pub(crate) queue: Option<Names>,
    /// Only tasks of these names, separated by commas
    #[arg(long, env = "TASK_LIST_TASK", value_name = "NAMES", value_parser = Names::parse)]
    pub(crate) task: Option<Names>,
    /// At most this many
    #[arg(long, env = "TASK_LIST_LIMIT", value_name = "N", default_value = "50",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=Page::MAX_SIZE as u64))]
    pub(crate) limit: usize,
    /// Go on where a page ended: the mark it printed
    #[arg(long, env = "TASK_LIST_AFTER", value_name = "MARK")]
    pub(crate) after: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    /// Give up after this long [default: never]
    #[arg(long, env = "TASK_WAIT_TIMEOUT", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Delete tasks that finished this long ago or longer
    #[arg(long, env = "TASK_PRUNE_MIN_AGE", value_name = "DURATION", default_value = "14d", value_parser = duration::parse)]
    pub(crate) min_age: Duration,
    /// The same for failed and canceled ones [default: as --min-age]
    #[arg(long, env = "TASK_PRUNE_FAILED_MIN_AGE", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) failed_min_age: Option<Duration>,
    /// Only of these queues, separated by commas; `*` means all
    #[arg(long, env = "TASK_PRUNE_QUEUE", value_name = "NAMES", default_value = "*", value_parser = Names::parse)]
    pub(crate) queue: Names,
    /// Count only, delete nothing
    #[arg(long, env = "TASK_PRUNE_DRY_RUN", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Print the statements, change nothing
    #[arg(long, env = "TASK_MIGRATE_DRY_RUN", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Print one page as text and end, as where there is no terminal
    #[arg(long, env = "TASK_TOP_ONCE", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) once: bool,
    /// The most queues, and the most workers, on a page
    #[arg(long, env = "TASK_TOP_LIMIT", value_name = "N", default_value = "50",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder instead
    #[arg(long, env = "TASK_MAN_DIR", value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// What every command on a backend takes.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The alias of the backend in tasks.toml
    #[arg(long, env = "TASK_BACKEND", value_name = "ALIAS", default_value = DEFAULT_ALIAS)]
    pub(crate) backend: String,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// What every command that prints data takes.
#[derive(Debug, Args)]
pub(crate) struct FormArgs {
    /// Print one JSON document
    #[arg(long, env = "TASK_JSON", action = ArgAction::SetTrue, value_parser = yes_or_no)]
    pub(crate) json: bool,
}

/// Reads the arguments, the program's name first.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command
        .try_get_matches_from_mut(arguments)
        .map_err(|error| blame_variable(error, arguments))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    if let Action::Run(run) = &cli.action
        && let Err(message) = run.share()
    {
        let run = command.find_subcommand_mut("run");
        let error = run.map(|run| run.error(ErrorKind::ArgumentConflict, message));
        return error.map_or(Ok(cli), Err);
    }
    Ok(cli)
}

/// Names the variable that a refused value came from: nobody typed it.
fn blame_variable(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let typed: Vec<_> = arguments.iter().map(|typed| typed.to_string_lossy()).collect();
    if error.kind() == ErrorKind::InvalidUtf8 && arguments.iter().all(|typed| typed.to_str().is_some()) {
        return no_text();
    }
    // `--lease <DURATION>`
    let refused = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(refused)) => refused.split(' ').next().unwrap_or_default(),
        _ => return error,
    };
    if typed.iter().any(|typed| typed.split('=').next() == Some(refused)) {
        return error;
    }
    let variable = command()
        .get_subcommands()
        .filter(|command| typed.iter().any(|typed| typed == command.get_name()))
        .flat_map(clap::Command::get_arguments)
        .filter(|arg| arg.get_long() == refused.strip_prefix("--"))
        .filter_map(|arg| arg.get_env()?.to_str())
        .find(|twin| std::env::var_os(twin).is_some())
        .map(str::to_owned);
    if let Some(variable) = variable {
        let blame = format!("it comes from the environment variable {variable}");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![blame.into()]),
        );
    }
    error
}

/// Names the twins whose values are no text, where what was typed is.
fn no_text() -> clap::Error {
    let is_text = |twin: &String| std::env::var_os(twin).is_none_or(|value| value.into_string().is_ok());
    let wrong: Vec<String> = twins().into_iter().filter(|twin| !is_text(twin)).collect();
    let message = format!("environment variable {}: it is not UTF-8\n", wrong.join(", "));
    clap::Error::raw(ErrorKind::InvalidUtf8, message)
}

/// The command line as data. The help names environment variables, not what is in them.
pub(crate) fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| command.mut_args(|arg| arg.hide_env_values(true)))
}

/// A sentence for each variable of the environment that looks like a misspelt twin of a flag.
pub(crate) fn misspelt_variables() -> Vec<String> {
    let known = twins();
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("TASK_"))
        .filter_map(|name| misspelt(&name, &known))
        .collect()
}

fn misspelt(name: &str, known: &[String]) -> Option<String> {
    if known.iter().any(|twin| twin == name) {
        return None;
    }
    // Other programs have such variables as well, so only near misses are worth a word.
    let nearest = known
        .iter()
        .find(|twin| task_core::suggest_one_of(name, [twin.as_str()]).starts_with("did you mean"))?;
    Some(format!(
        "the environment variable {name} means nothing here, did you mean {nearest}?"
    ))
}

/// The environment twins of all flags.
fn twins() -> Vec<String> {
    let mut twins: Vec<String> = command()
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned))
        .collect();
    twins.extend([logging::VARIABLE, logging::FORMAT_VARIABLE].map(str::to_owned));
    twins.sort();
    twins.dedup();
    twins
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

#[cfg(feature = "http")]
fn socket_address(text: &str) -> Result<std::net::SocketAddr, String> {
    text.trim()
        .parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:9464 or [::]:9464".to_owned())
}

fn worker_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_WORKER_ID_BYTES {
        return Err(format!(
            "it has 1 to {MAX_WORKER_ID_BYTES} bytes, not {}",
            text.len()
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn status(text: &str) -> Result<TaskStatus, String> {
    text.parse()
        .map_err(|error: task_core::Error| error.advice().unwrap_or_else(|| error.message()).to_owned())
}

#[cfg(test)]
mod tests;
