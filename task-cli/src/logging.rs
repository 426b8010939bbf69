//! What is said while a command runs, to standard error.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum as _;
use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};
use crate::exit::Trouble;

/// The environment twin of `--log`.
pub(crate) const VARIABLE: &str = "TASK_LOG";

/// The environment twin of `--log-format`.
pub(crate) const FORMAT_VARIABLE: &str = "TASK_LOG_FORMAT";

/// From quiet to loud.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What speaks at `info` unless told otherwise.
const DEFAULT: usize = 3;

/// What the rest of the program speaks at, at most.
const OTHERS: usize = 2;

/// Our crates that speak.
const OURS: [&str; 4] = ["task_core", "task_backends", "task_worker", "task_cli"];

/// Begins to log as the flags say, else `TASK_LOG`, else from `info` on. A program that logs
/// already keeps its own way.
pub(crate) fn start(args: &LogArgs, crates: &[&str]) -> Result<(), Trouble> {
    let filter = filter(args, variable()?.as_deref(), crates);
    let filter = EnvFilter::try_new(&filter).map_err(|error| wrong_variable(&error.to_string()))?;
    let stderr = io::stderr();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
        .with_writer(io::stderr)
        // It would report a closed standard error on standard error, with a panic.
        .log_internal_errors(false);
    // Fails where the program has set up its own logging, which then stays.
    let _ = match format(args)? {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().with_ansi(false).try_init(),
    };
    Ok(())
}

/// How lines look: as the flag says, else the variable.
fn format(args: &LogArgs) -> Result<LogFormat, Trouble> {
    if let Some(format) = args.log_format {
        return Ok(format);
    }
    match std::env::var(FORMAT_VARIABLE) {
        Ok(text) if text.trim().is_empty() => Ok(LogFormat::Text),
        Ok(text) => LogFormat::from_str(text.trim(), true)
            .map_err(|_| wrong(FORMAT_VARIABLE, &format!("`{}` is not text or json", text.trim()))),
        Err(std::env::VarError::NotPresent) => Ok(LogFormat::Text),
        Err(std::env::VarError::NotUnicode(_)) => Err(wrong(FORMAT_VARIABLE, "it is not UTF-8")),
    }
}

fn variable() -> Result<Option<String>, Trouble> {
    match std::env::var(VARIABLE) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => check(&text).map(Some).map_err(|message| wrong_variable(&message)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(wrong_variable("it is not UTF-8")),
    }
}

fn wrong_variable(message: &str) -> Trouble {
    wrong(VARIABLE, message)
}

fn wrong(variable: &str, message: &str) -> Trouble {
    let message = format!("environment variable {variable}: {message}\n");
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).into()
}

/// Reads a level or a filter. A word that is no level would name a crate, so that a misspelt
/// level went unnoticed: crates need a level.
pub(crate) fn check(text: &str) -> Result<String, String> {
    let text = text.trim();
    for directive in text.split(',').map(str::trim) {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(directive));
        if !is_level && !directive.contains(['=', '[', ']']) {
            return Err(task_core::suggest_one_of(directive, LEVELS));
        }
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// The filter: a level counts for our crates and those named to the program.
fn filter(args: &LogArgs, variable: Option<&str>, crates: &[&str]) -> String {
    let louder = usize::from(args.verbose.min(2));
    let quieter = usize::from(args.quiet.min(3));
    let mut level = DEFAULT + louder - quieter;
    if (louder, quieter) == (0, 0)
        && let Some(text) = args.log.as_deref().or(variable)
    {
        match LEVELS.iter().position(|level| level.eq_ignore_ascii_case(text)) {
            Some(named) => level = named,
            None => return text.to_owned(),
        }
    }
    let mut filter = LEVELS[level.min(OTHERS)].to_owned();
    for speaker in OURS.iter().chain(crates) {
        filter.push_str(&format!(",{}={}", speaker.replace('-', "_"), LEVELS[level]));
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(verbose: u8, quiet: u8, log: Option<&str>) -> LogArgs {
        LogArgs {
            verbose,
            quiet,
            log: log.map(str::to_owned),
            log_format: None,
        }
    }

    #[test]
    fn our_crates_and_those_named_speak_from_info_on() {
        assert_eq!(
            filter(&args(0, 0, None), None, &["app"]),
            "warn,task_core=info,task_backends=info,task_worker=info,task_cli=info,app=info"
        );
    }

    #[test]
    fn flags_win_over_the_environment() {
        let level = |args, variable| {
            filter(&args, variable, &["app"])
                .rsplit('=')
                .next()
                .map(str::to_owned)
        };
        assert_eq!(level(args(1, 0, None), Some("error")).as_deref(), Some("debug"));
        assert_eq!(level(args(9, 0, None), None).as_deref(), Some("trace"));
        assert_eq!(level(args(0, 1, None), None).as_deref(), Some("warn"));
        assert_eq!(level(args(0, 9, None), None).as_deref(), Some("off"));
        assert_eq!(
            level(args(0, 0, Some("DEBUG")), Some("error")).as_deref(),
            Some("debug")
        );
        assert_eq!(level(args(0, 0, None), Some("error")).as_deref(), Some("error"));
        assert!(filter(&args(0, 2, None), None, &[]).starts_with("error,"));
    }

    #[test]
    fn a_filter_is_taken_as_it_is() {
        assert_eq!(
            filter(&args(0, 0, None), Some("warn,sqlx=trace"), &["app"]),
            "warn,sqlx=trace"
        );
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        let message = check("debgu").expect_err("misspelt");
        assert!(message.contains("did you mean `debug`?"), "{message}");
        check("info,app").expect_err("a crate without level");
        check("app=loud").expect_err("no level");
        assert_eq!(check(" info,app=trace "), Ok("info,app=trace".to_owned()));
    }
}
