//! The command line of a worker binary, as a shell and a script meet it: what is printed
//! where, in which form, and with which exit code.

mod servers;
mod system;

#[path = "cli/change.rs"]
mod change;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/enqueue.rs"]
mod enqueue;
#[path = "cli/kinds.rs"]
mod kinds;
#[path = "cli/look.rs"]
mod look;
#[path = "cli/mysql.rs"]
mod mysql;
#[path = "cli/pause.rs"]
mod pause;
#[path = "cli/payloads.rs"]
mod payloads;
#[path = "cli/postgres.rs"]
mod postgres;
#[path = "cli/prune.rs"]
mod prune;
#[path = "cli/redis.rs"]
mod redis;
#[path = "cli/settings.rs"]
mod settings;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/store.rs"]
mod store;
#[path = "cli/streams.rs"]
mod streams;
#[path = "cli/tls.rs"]
mod tls;
#[path = "cli/usage.rs"]
mod usage;

use system::Site;

/// An id that no task has.
const NOBODY: &str = "01a1f96d-8046-72a6-b6f1-50ded5cd31d7";

/// Enqueues a task through the command line and returns its id.
async fn enqueue(site: &Site, name: &str, arguments: &str, flags: &[&str]) -> String {
    let all = [&["enqueue", name, arguments], flags].concat();
    site.run(&all).await.exits_with(0).line().to_owned()
}

/// Runs everything that is due.
async fn run_all(site: &Site) {
    let said = site.run(&["run", "--batch"]).await;
    said.exits_with(0);
}
