//! How large a store is, and how many connections this process has.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _};

use crate::server::Place;
use crate::{Outcome, redis};

/// How large a store is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: f64,
    /// Rows that were deleted and whose place was not taken again.
    pub(super) dead: Option<f64>,
}

/// Asks the store.
pub(super) async fn size(place: &Place) -> Outcome<Size> {
    match place.kind() {
        "postgres" => {
            let query = format!(
                "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::float8 AS bytes, \
                 coalesce(sum(n_dead_tup), 0)::float8 AS dead \
                 FROM pg_stat_user_tables WHERE schemaname = '{}'",
                place.name()
            );
            let mut connection = PgConnection::connect(place.server()).await?;
            let row = sqlx::query(AssertSqlSafe(query))
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            Ok(Size {
                bytes: row.get("bytes"),
                dead: Some(row.get("dead")),
            })
        }
        "mysql" => {
            let query = format!(
                "SELECT CAST(coalesce(sum(data_length + index_length), 0) AS DOUBLE) AS bytes \
                 FROM information_schema.tables WHERE table_schema = '{}'",
                place.name()
            );
            let mut connection = MySqlConnection::connect(place.server()).await?;
            let row = sqlx::query(AssertSqlSafe(query))
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            Ok(Size {
                bytes: row.get("bytes"),
                dead: None,
            })
        }
        "redis" => Ok(Size {
            bytes: redis::used_bytes(place.server()).await?,
            dead: None,
        }),
        _ => {
            let folder = place.folder().ok_or("a file has a folder")?;
            let mut bytes = 0;
            for entry in std::fs::read_dir(folder)? {
                bytes += entry?.metadata()?.len();
            }
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            Ok(Size {
                bytes: bytes as f64,
                dead: None,
            })
        }
    }
}

/// How many TCP connections this process has.
pub(super) fn connections() -> Outcome<usize> {
    let mut sockets = HashSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        // The folder's own handle is gone by the time it is looked at.
        if let Ok(target) = std::fs::read_link(entry?.path())
            && let Some(inode) = target.to_string_lossy().strip_prefix("socket:[")
        {
            sockets.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut count = 0;
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let rows = std::fs::read_to_string(table).unwrap_or_default();
        // Address, peer, state and inode are the fields 1, 2, 3 and 9; 01 is an open connection.
        count += rows
            .lines()
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .filter(|row| {
                row.get(3) == Some(&"01") && row.get(9).is_some_and(|inode| sockets.contains(*inode))
            })
            .count();
    }
    Ok(count)
}
