//! The main job, end to end: one task for each file of a folder, run by the real worker binary
//! in a process of its own, and a table of what came back.
//!
//! In the order of a run: `run_folder` makes a place for it, `orders` enqueues, `worker_process`
//! starts the worker, `progress` waits, `results` reads everything back by id, `report` prints it.
//!
//! Each run has a fresh store below `demo`, beside this program, so runs do not know of each other
//! and nothing is written to the folder that is surveyed. If this program is killed, the worker
//! still runs what was enqueued, then ends.

mod interrupt;
mod orders;
mod progress;
mod report;
mod results;
mod run_folder;
mod table;
mod verdict;
mod worker_process;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use examples::{Found, shown, walk};
use indicatif::HumanCount;
use task_core::Backends;

use interrupt::Interrupt;
use orders::Orders;
use results::Results;
use run_folder::{RunFolder, nearer};
use worker_process::WorkerProcess;

/// The result of what can go wrong in many ways, all of which end the program.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Survey the files of a folder: one task for each, run by a worker process.
///
/// Left out are symbolic links, `.git` and its like, `node_modules`, and folders marked as caches by a
/// CACHEDIR.TAG, such as `target`. Nothing is written to the folder.
#[derive(Parser)]
struct Cli {
    /// The folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demonstrate(&Cli::parse()).await {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in complaints {
                eprintln!("unexpected: {complaint}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything in order; returns what was not as expected.
async fn demonstrate(cli: &Cli) -> Result<Vec<String>> {
    let (folder, found) = look_at(&cli.folder)?;
    let run = RunFolder::make()?;
    let mut interrupt = Interrupt::listen()?;
    task_backends::init_with(&run.settings()?).await?;

    let began = Instant::now();
    let orders = Orders::enqueue(&folder, found.files, run.not_utf8()).await?;
    let (total, took) = (orders.total(), began.elapsed());
    let rate = per_second(total, took.as_secs_f64());
    eprintln!(
        "{} tasks enqueued in {took:.0?} ({rate} per second)",
        HumanCount(total)
    );

    let mut worker = WorkerProcess::start(&run, orders.attempts())?;
    eprintln!(
        "worker process {} at work, its log: {}",
        worker.pid(),
        shown(&nearer(&run.log()))
    );
    let outcome = tokio::select! {
        biased;
        signal = interrupt.received() => Err(format!("stopped by {signal}").into()),
        outcome = progress::until_all_finished(total, &mut worker) => outcome,
    };
    if let Err(error) = outcome {
        worker.stop().await;
        return Err(format!("{error}\n{}", run.go_on()).into());
    }
    eprintln!("all have ended; reading the results back by id");
    let mut complaints = Vec::from_iter(worker.ended_well().await);

    let began = Instant::now();
    let results = Results::read(&orders).await?;
    let read = results::ReadBack {
        tasks: total,
        took: began.elapsed(),
    };
    let mut text = report::report(&folder, &found.left_out, &results, &read);
    text.push_str(&run.look_further(&results.noteworthy()));
    print(&text)?;
    complaints.extend(verdict::complaints(&results));
    Backends::global()?.close().await;
    Ok(complaints)
}

/// Finds the files and says how many.
fn look_at(folder: &Path) -> Result<(PathBuf, Found)> {
    let wrong = |what: String| format!("the folder `{}` {what}", shown(folder));
    let cannot = |error: io::Error| wrong(format!("cannot be surveyed: {error}"));
    let whole = folder.canonicalize().map_err(cannot)?;
    if !whole.is_dir() {
        return Err(wrong("is not a folder".to_owned()).into());
    }
    if whole.to_str().is_none() {
        return Err(wrong("has a name that is not UTF-8, which arguments must be".to_owned()).into());
    }
    let found = walk(&whole).map_err(cannot)?;
    let [files, folders] = [found.files.len() as u64, found.folders];
    let inside = report::amount(files, folders, found.files.iter().map(|file| file.bytes).sum());
    eprintln!("{}: {inside}", shown(&whole));
    Ok((whole, found))
}

/// How many that is in a second, rounded; something, however short it took.
fn per_second(tasks: u64, seconds: f64) -> HumanCount {
    HumanCount((tasks as f64 / seconds.max(0.001)).round() as u64)
}

/// Prints to standard output. That nobody reads to the end is no trouble.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
