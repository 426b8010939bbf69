//! Opening an SQLite file: where it is, how durable it is, how connections are set up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use task_core::{Clock, Error, ErrorKind, Result};
use tempfile::TempDir;

use crate::sql::error::from_sqlx;

/// How long SQLite itself waits for another process's write transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections read at a time. Readers never wait for the writer.
const READERS: u32 = 4;

/// How many statement texts stay prepared on the writing connection.
const PREPARED: usize = 400;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// The end of any process, `kill -9` included. Power loss or a crash of the machine
    /// may take the last commits, but never damages the file.
    #[default]
    Normal,
    /// Power loss as well, at the price of a disk flush for each commit.
    Full,
}

/// Which file to open and how.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
    pub(crate) clock: Clock,
    pub(crate) create: bool,
    /// The folder of the file, when it goes with the last who uses it.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(crate) folder: Option<Arc<TempDir>>,
}

impl SqliteOptions {
    /// This file, made if it is not there, surviving the end of any process.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::Normal,
            clock: Clock::system(),
            create: true,
            folder: None,
        }
    }

    /// A new file in a new folder of its own, which is removed with the last of these options,
    /// their clones and the backends opened with them: a store for one test.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the folder cannot be made.
    pub fn temporary() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tasks-")
            .tempdir()
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unavailable,
                    "cannot make a folder for a temporary store",
                )
                .at(std::env::temp_dir().display().to_string())
                .because(error)
            })?;
        let path = folder.path().join("tasks.db");
        Ok(Self {
            folder: Some(Arc::new(folder)),
            ..Self::new(path)
        })
    }

    /// The file of a URL: `sqlite://tasks.db` or `sqlite:tasks.db` from `folder`,
    /// `sqlite:///var/lib/app/tasks.db` from the root.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] when it is no such URL, or asks for an in-memory database:
    /// a worker process could not see that.
    pub fn from_url(url: &str, folder: &Path) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Settings, format!("the url `{url}` {what}"))
                .hint("write it like sqlite://tasks.db")
        };
        let path = url
            .strip_prefix("sqlite:")
            .ok_or_else(|| wrong("does not begin with `sqlite:`"))?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(wrong("names no file"));
        }
        if path.contains(":memory:") {
            return Err(wrong("is in memory, where no worker process could see it"));
        }
        if path.contains('?') {
            return Err(wrong(
                "has parameters; settings such as `synchronous` are keys of tasks.toml",
            ));
        }
        Ok(Self::new(folder.join(path)))
    }

    /// With this durability.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// With this clock: for tests that move time.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Refuses to make a file that is not there.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.create = false;
        self
    }
}

/// Makes connections to one file, all set up alike.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    options: SqliteConnectOptions,
    path: PathBuf,
}

impl Opener {
    pub(crate) fn new(options: &SqliteOptions) -> Self {
        let synchronous = match options.synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        };
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(options.create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(PREPARED)
            // 64 MiB of pages in memory, and a write-ahead log that is folded back every
            // 16 MiB and never stays larger than 64 MiB on disk.
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864")
            .pragma("temp_store", "memory")
            .disable_statement_logging();
        Self {
            options: connect,
            path: options.path.clone(),
        }
    }

    /// Says which file an error is about.
    pub(crate) fn place(&self, error: Error) -> Error {
        let is_about_opening = error.kind() == ErrorKind::Backend && self.path.exists();
        let error = is_about_opening
            .then(|| self.read_only())
            .flatten()
            .unwrap_or(error);
        error.at(self.path.display().to_string())
    }

    /// What SQLite does not tell apart from a file that is not there: one in a folder that cannot
    /// be written to, where it needs files beside it also to read.
    fn read_only(&self) -> Option<Error> {
        let mut beside = self.path.clone().into_os_string();
        beside.push("-probe");
        // Not the file itself: closing it would give up the locks this process has on it.
        let error = match std::fs::File::create_new(&beside) {
            Err(error) => error,
            Ok(_) => {
                let _ = std::fs::remove_file(&beside);
                return None;
            }
        };
        let hint = match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => "mount the disk so that it can be written to",
            io::ErrorKind::PermissionDenied => "check the owner and mode of the file and its folder",
            _ => return None,
        };
        let message = "the store is read-only";
        Some(Error::new(ErrorKind::Backend, message).hint(hint).because(error))
    }

    /// One connection; `create` also makes the file if the options allow it.
    pub(crate) async fn connect(&self, create: bool) -> Result<SqliteConnection> {
        let options = if create {
            self.options.clone()
        } else {
            self.options.clone().create_if_missing(false)
        };
        // Two processes that switch a new file to the write-ahead log at once: one of them is
        // refused without any waiting.
        let mut tries = 0;
        loop {
            match SqliteConnection::connect_with(&options).await.map_err(from_sqlx) {
                Err(error) if error.is_retryable() && tries < 50 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                outcome => return outcome.map_err(|error| self.place(error)),
            }
        }
    }

    /// A connection that cannot change anything, not even how the file keeps its journal:
    /// for a look at a file that may be another program's.
    pub(crate) async fn inspect(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        SqliteConnection::connect_with(&options)
            .await
            .map_err(|error| self.place(from_sqlx(error)))
    }

    /// A pool of connections that only read; none is made before it is needed.
    pub(crate) fn readers(&self) -> SqlitePool {
        let options = self
            .options
            .clone()
            .create_if_missing(false)
            .pragma("query_only", "1");
        SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_from_the_settings_folder_or_the_root() {
        for (url, expected) in [
            ("sqlite://tasks.db", "app/tasks.db"),
            ("sqlite:tasks.db", "app/tasks.db"),
            ("sqlite://data/tasks.db", "app/data/tasks.db"),
            ("sqlite:///var/tasks.db", "/var/tasks.db"),
        ] {
            let options = SqliteOptions::from_url(url, Path::new("app")).expect(url);
            assert_eq!(options.path, Path::new(expected), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_with_a_hint() {
        for url in [
            "postgres://x",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://a.db?mode=ro",
        ] {
            let error = SqliteOptions::from_url(url, Path::new(".")).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.advice().is_some());
        }
    }
}
