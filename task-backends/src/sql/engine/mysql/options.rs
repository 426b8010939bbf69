//! Which MySQL or MariaDB database and how.

use std::fmt;
use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use task_core::{Clock, Error, ErrorKind, Result};

/// How many statement texts stay prepared on a connection: a server keeps 16,382 for all of
/// them if nobody set another limit.
const PREPARED: usize = 150;

/// Which MySQL or MariaDB database, and how to talk to it.
#[derive(Clone)]
pub struct MysqlOptions {
    pub(crate) connect: MySqlConnectOptions,
    pub(crate) database: String,
    pub(crate) clock: Option<Clock>,
}

impl MysqlOptions {
    /// The database of this URL: `mysql://user:password@host:3306/database`. It must be there,
    /// and is best one of its own: a transaction may span several databases of a server.
    /// `?ssl-mode=required` and the like say how to encrypt, in builds with the feature `tls`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] when it is no such URL, or names no database.
    pub fn new(url: &str) -> Result<Self> {
        let wrong = |what: &'static str| {
            // The URL is not shown: it may have a password.
            Error::new(ErrorKind::Settings, what)
                .hint("write it like mysql://user:password@host:3306/database")
        };
        let not_ours = || wrong("the url is not one of a MySQL or MariaDB database");
        let url = match url.strip_prefix("mariadb://") {
            Some(rest) => format!("mysql://{rest}"),
            None => url.to_owned(),
        };
        if !url.starts_with("mysql://") {
            return Err(not_ours());
        }
        let connect =
            MySqlConnectOptions::from_str(&url).map_err(|error| not_ours().because(error.to_string()))?;
        let database = connect
            .get_database()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| wrong("the url names no database"))?
            .to_owned();
        if database.contains(['`', '"', '@', '?', '(']) {
            return Err(wrong(
                "the database's name has characters that this cannot work with",
            ));
        }
        Ok(Self {
            connect: connect
                .statement_cache_capacity(PREPARED)
                .disable_statement_logging(),
            database,
            clock: None,
        })
    }

    /// With this clock instead of the database's: for tests that move time.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where it is, without user and password.
    pub(crate) fn place(&self) -> String {
        let Self {
            connect, database, ..
        } = self;
        format!("mysql://{}:{}/{database}", connect.get_host(), connect.get_port())
    }
}

impl fmt::Debug for MysqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MysqlOptions({})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_without_its_password() {
        for url in [
            "mysql://ada:secret@db:3307/shop",
            "mariadb://ada:secret@db:3307/shop",
        ] {
            let options = MysqlOptions::new(url).expect("a url");
            assert_eq!(options.place(), "mysql://db:3307/shop");
        }
    }

    #[test]
    fn a_url_that_is_none_or_names_no_database_is_refused_with_a_hint_and_without_secrets() {
        for url in [
            "postgres://x",
            "mysql://a:secret@h",
            "mysql://a:secret@h:port/x",
            "mysql://h/a`b",
        ] {
            let error = MysqlOptions::new(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(
                error.advice().is_some() && !error.to_string().contains("secret"),
                "{error}"
            );
        }
    }
}
