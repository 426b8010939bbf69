//! What the server does for a task: bytes of its log, transactions and statements.

use sqlx::{Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _};

use super::place::is_postgres;
use crate::Outcome;

/// What the server counts, for all that are connected: nobody else should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    log_bytes: f64,
    commits: f64,
    /// PostgreSQL counts statements only with the extension `pg_stat_statements`.
    statements: Option<f64>,
}

/// For one task.
pub(super) struct Cost {
    pub(super) log_bytes: f64,
    pub(super) commits: f64,
    pub(super) statements: Option<f64>,
}

/// A connection that has ended counts a moment later.
const COUNTED_WITHIN: std::time::Duration = std::time::Duration::from_millis(1500);

impl Counters {
    /// As they are when everybody else has gone.
    pub(super) async fn read(server: &str) -> Outcome<Self> {
        tokio::time::sleep(COUNTED_WITHIN).await;
        if is_postgres(server) {
            of_postgres(server).await
        } else {
            of_mysql(server).await
        }
    }

    /// What was counted since, for each of so many tasks.
    pub(super) async fn since(self, server: &str, tasks: usize) -> Outcome<Cost> {
        let now = Self::read(server).await?;
        #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
        let tasks = tasks as f64;
        Ok(Cost {
            log_bytes: (now.log_bytes - self.log_bytes) / tasks,
            commits: (now.commits - self.commits) / tasks,
            statements: now
                .statements
                .zip(self.statements)
                .map(|(now, before)| (now - before) / tasks),
        })
    }
}

async fn of_postgres(server: &str) -> Outcome<Counters> {
    let mut connection = PgConnection::connect(server).await?;
    let row = connection
        .fetch_one(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8, \
             (SELECT sum(xact_commit)::float8 FROM pg_stat_database)",
        )
        .await?;
    // Without the extension, or with it and not loaded, this is an error.
    let counted = connection
        .fetch_one("SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements")
        .await;
    Ok(Counters {
        log_bytes: row.try_get(0)?,
        commits: row.try_get(1)?,
        statements: counted.ok().map(|row| row.try_get(0)).transpose()?,
    })
}

async fn of_mysql(server: &str) -> Outcome<Counters> {
    let mut connection = MySqlConnection::connect(server).await?;
    let mut counted = Vec::new();
    for name in ["Innodb_os_log_written", "Com_commit", "Questions"] {
        let row = sqlx::query("SHOW GLOBAL STATUS WHERE Variable_name = ?")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        counted.push(row.try_get::<String, _>(1)?.parse::<f64>()?);
    }
    let [log_bytes, commits, statements] = counted[..] else {
        return Err("the server does not count".into());
    };
    Ok(Counters {
        log_bytes,
        commits,
        statements: Some(statements),
    })
}
