//! The servers tests need. Each is one file below `servers/` and one line in [`ALL`].
//!
//! What every machine can do without a server (dummy, immediate, SQLite) is not listed here: it always runs.
//!
//! A test that needs a server stands in a module of the server's name, so that it can be left out with it.

mod django;
mod find;
mod home;
mod mariadb;
mod pgbouncer;
mod postgres;
mod redis;
mod tls;

use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::nearest::nearest;
use crate::process;

/// Every server there is.
const ALL: &[Server] = &[
    postgres::POSTGRES,
    mariadb::MARIADB,
    redis::REDIS,
    redis::REDIS_CLUSTER,
    pgbouncer::PGBOUNCER,
    tls::TLS,
    django::DJANGO,
];

/// How long a server may take to end when it is asked to.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A server: what it is called, and how an empty one is started for the tests.
#[derive(Debug)]
pub struct Server {
    /// The name in `--without` and in the closing table.
    pub name: &'static str,
    /// Whether it is what a backend keeps its tasks in.
    pub is_backend: bool,
    /// Starts it on a free port with a data folder of its own, and returns once it answers.
    pub start: fn() -> Result<Running>,
}

/// A server that answers; it ends when this is dropped.
pub struct Running {
    /// What it says its version is.
    pub version: String,
    /// The variables that tell the tests where it is.
    pub environment: Vec<(&'static str, String)>,
    /// Its processes.
    pub processes: Vec<Child>,
    /// What it keeps its data in; removed after its processes have ended.
    pub folder: Option<TempDir>,
    /// Servers that it needs; they end after it.
    pub also: Vec<Self>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &self.processes {
            process::succeeds(process::program("kill").arg(child.id().to_string()));
        }
        let asked = Instant::now();
        for child in &mut self.processes {
            while asked.elapsed() < STOP_WITHIN && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            // It may have ended by itself; either way nothing of it is left after the wait.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.also.clear();
    }
}

/// The servers to start, and those that were left out on purpose.
#[derive(Debug)]
pub struct Choice {
    /// To be started.
    pub wanted: Vec<&'static Server>,
    /// Named in `--without`.
    pub left_out: Vec<&'static Server>,
}

/// Sorts all servers by whether `--without` names them; a name that does not exist is refused.
pub fn choose(without: &[String]) -> Result<Choice> {
    choose_from(ALL, without)
}

fn choose_from(all: &'static [Server], without: &[String]) -> Result<Choice> {
    for name in without {
        if !all.iter().any(|server| server.name == name) {
            return Err(unknown(all, name));
        }
    }
    let (left_out, wanted) = all
        .iter()
        .partition(|server| without.iter().any(|name| server.name == name));
    Ok(Choice { wanted, left_out })
}

fn unknown(all: &[Server], name: &str) -> Failure {
    let meant = nearest(name, all.iter().map(|server| server.name));
    let question = meant.map_or(String::new(), |meant| format!(", did you mean `{meant}`?"));
    Failure::new(
        format!("--without: there is no server `{name}`{question}"),
        sentence(all),
    )
}

/// The help text of `--without`.
pub fn help() -> String {
    format!("Servers to do without, separated by commas. {}", sentence(ALL))
}

fn sentence(all: &[Server]) -> String {
    match all {
        [] => "No backend needs a server at present, so nothing can be left out.".to_owned(),
        _ => format!(
            "Servers: {}.",
            all.iter()
                .map(|server| server.name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::program;

    /// A server that waits until its input ends.
    fn start() -> Result<Running> {
        let process = program("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        Ok(Running {
            version: "1".to_owned(),
            environment: Vec::new(),
            processes: vec![process],
            folder: None,
            also: Vec::new(),
        })
    }

    static TWO: [Server; 2] = [
        Server {
            name: "postgres",
            is_backend: true,
            start,
        },
        Server {
            name: "redis",
            is_backend: true,
            start,
        },
    ];

    fn names(without: &[&str]) -> Vec<String> {
        without.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_left_out_is_known() {
        let choice = choose_from(&TWO, &names(&["redis"])).unwrap();
        assert_eq!(
            choice.wanted.iter().map(|server| server.name).collect::<Vec<_>>(),
            ["postgres"]
        );
        assert_eq!(
            choice
                .left_out
                .iter()
                .map(|server| server.name)
                .collect::<Vec<_>>(),
            ["redis"]
        );
    }

    #[test]
    fn an_unknown_server_is_refused_with_the_known_ones() {
        let failure = choose_from(&TWO, &names(&["postgers"])).unwrap_err().to_string();
        assert!(
            failure.contains("no server `postgers`, did you mean `postgres`?"),
            "{failure}"
        );
        assert!(failure.contains("Servers: postgres, redis."), "{failure}");
    }

    #[test]
    fn where_no_server_exists_the_refusal_says_so() {
        let failure = choose_from(&[], &names(&["sqlite"])).unwrap_err().to_string();
        assert!(failure.contains("No backend needs a server"), "{failure}");
    }

    #[test]
    fn a_dropped_server_has_ended() {
        let mut running = (TWO[0].start)().unwrap();
        let id = running.processes[0].id();
        let _input = running.processes[0].stdin.take();
        drop(running);
        assert!(!std::path::Path::new(&format!("/proc/{id}/stat")).exists());
    }
}
