//! Which PostgreSQL database and how.

use std::fmt;
use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use task_core::{Clock, Error, ErrorKind, Result};

/// The longest name of a schema: the notification channel's name is a little longer, and
/// PostgreSQL's names have at most 63 bytes.
const MAX_SCHEMA_BYTES: usize = 50;

/// How many statement texts stay prepared on a connection.
const PREPARED: usize = 200;

/// Which PostgreSQL database, which schema of it, and how to talk to it.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) connect: PgConnectOptions,
    pub(crate) schema: String,
    pub(crate) notify: bool,
    pub(crate) clock: Option<Clock>,
}

impl PostgresOptions {
    /// The database of this URL: `postgres://user:password@host:5432/database`. Tables stand
    /// in the schema `tasks`, apart from the application's own. `?sslmode=require` and the
    /// like say how to encrypt, in builds with the feature `tls`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] when it is no such URL.
    pub fn new(url: &str) -> Result<Self> {
        let wrong = || {
            // The URL is not shown: it may have a password.
            Error::new(ErrorKind::Settings, "the url is not one of a PostgreSQL database")
                .hint("write it like postgres://user:password@host:5432/database")
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong());
        }
        let connect = PgConnectOptions::from_str(url).map_err(|error| wrong().because(error.to_string()))?;
        Ok(Self {
            connect: connect
                .extra_float_digits(None)
                .statement_cache_capacity(PREPARED)
                .disable_statement_logging(),
            schema: "tasks".to_owned(),
            notify: true,
            clock: None,
        })
    }

    /// In this schema, made if it is not there. Lower-case letters, digits and underscores,
    /// at most 50 bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for any other name.
    pub fn schema(mut self, schema: impl Into<String>) -> Result<Self> {
        let schema = schema.into();
        let is_usual = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        let begins_well = schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        if !begins_well || schema.len() > MAX_SCHEMA_BYTES || !schema.chars().all(is_usual) {
            return Err(
                Error::new(ErrorKind::Settings, format!("`{schema}` cannot be the schema")).hint(format!(
                    "use lower-case letters, digits and underscores, at most {MAX_SCHEMA_BYTES}, no digit first"
                )),
            );
        }
        self.schema = schema;
        Ok(self)
    }

    /// Whether processes wake each other by notifications; yes at first. Say no behind a
    /// pooler in transaction mode: then processes look for changes every 20 to 500
    /// milliseconds while they wait, and nothing is kept in a session, prepared statements
    /// included.
    #[must_use]
    pub fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// With this clock instead of the database's: for tests that move time.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The name under which processes notify each other.
    pub(crate) fn channel(&self) -> String {
        format!("task_store_{}", self.schema)
    }

    /// Where it is, without user and password.
    pub(crate) fn place(&self) -> String {
        let Self { connect, schema, .. } = self;
        let database = connect.get_database().unwrap_or(connect.get_username());
        format!(
            "postgres://{}:{}/{database}, schema {schema}",
            connect.get_host(),
            connect.get_port()
        )
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresOptions({})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_without_its_password() {
        let options = PostgresOptions::new("postgres://ada:secret@db:5433/shop").expect("a url");
        assert_eq!(options.place(), "postgres://db:5433/shop, schema tasks");
        assert_eq!(
            format!("{options:?}"),
            "PostgresOptions(postgres://db:5433/shop, schema tasks)"
        );
    }

    #[test]
    fn a_url_or_schema_that_is_none_is_refused_with_a_hint_and_without_secrets() {
        for url in ["mysql://x", "tasks.db", "postgres://a:secret@h:port/x"] {
            let error = PostgresOptions::new(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(
                error.advice().is_some() && !error.to_string().contains("secret"),
                "{error}"
            );
        }
        let options = PostgresOptions::new("postgres://localhost/x").expect("a url");
        for schema in ["", "1a", "Tasks", "a\"b", "a b", &"x".repeat(51)] {
            let error = options.clone().schema(schema).expect_err(schema);
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.advice().is_some());
        }
    }
}
