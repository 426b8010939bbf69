//! Where a test's tasks are kept: on any kind of store, in a part of it that no other test uses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::Connection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _};
use task_backends::{
    MysqlBackend, MysqlOptions, PostgresBackend, PostgresOptions, RedisBackend, RedisOptions, SqliteBackend,
    SqliteOptions,
};
use task_core::{TaskBackend, TaskId};

use super::Sql;

/// A kind of store that several processes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    Mysql,
    Redis,
    RedisCluster,
}

impl Kind {
    /// What settings call it.
    pub fn backend(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis | Self::RedisCluster => "redis",
        }
    }

    /// What tests call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RedisCluster => "redis-cluster",
            kind => kind.backend(),
        }
    }

    /// The variable that says where the server for tests is.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("TEST_POSTGRES_URL"),
            Self::Mysql => Some("TEST_MYSQL_URL"),
            Self::Redis => Some("TEST_REDIS_URL"),
            Self::RedisCluster => Some("TEST_REDIS_CLUSTER_URL"),
        }
    }
}

/// A schema, a database, a prefix or a file that one test has to itself. What a server keeps of it is
/// removed when this is dropped.
#[derive(Debug)]
pub struct Home {
    pub kind: Kind,
    /// The server's address; several with commas between are a cluster's. Empty where there is no server.
    url: String,
    /// What this test's part is called there.
    name: String,
}

impl Home {
    /// A part of the server that all tests share.
    pub async fn new(kind: Kind) -> Self {
        let url = kind.variable().map_or_else(String::new, |variable| {
            std::env::var(variable).unwrap_or_else(|_| {
                panic!("{variable} is not set: `cargo xtask test` starts a server for the tests and sets it")
            })
        });
        Self::at(kind, url).await
    }

    /// A part of this server.
    pub async fn at(kind: Kind, url: String) -> Self {
        let id = TaskId::new().to_string().replace('-', "");
        let name = format!("test_{id}");
        if kind == Kind::Mysql {
            let mut server = MySqlConnection::connect(&url).await.expect("the server is there");
            let made = server
                .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .await;
            made.expect("a database can be made");
        }
        Self { kind, url, name }
    }

    /// What settings say as its address, with the server at this one.
    pub fn url_through(&self, url: &str) -> String {
        match self.kind {
            Kind::Sqlite => "sqlite://store/tasks.db".to_owned(),
            Kind::Mysql => self.database_at(url),
            _ => url.to_owned(),
        }
    }

    /// The lines of the settings that name it.
    pub fn settings(&self) -> String {
        let backend = self.kind.backend();
        let url = self.url_through(&self.url);
        let options = match self.kind {
            Kind::Sqlite | Kind::Mysql => String::new(),
            Kind::Postgres => format!("schema = \"{}\"", self.name),
            Kind::Redis | Kind::RedisCluster => format!("prefix = \"{}\"", self.name),
        };
        format!(
            "[default]\nbackend = \"{backend}\"\nurl = \"{url}\"\nqueues = []\n\
             [default.options]\n{options}\n"
        )
    }

    fn database_at(&self, url: &str) -> String {
        let (server, _) = url.rsplit_once('/').expect("the url names a database");
        format!("{server}/{}", self.name)
    }

    /// Opens it, or makes it, as an application would. A file stands in this folder.
    pub async fn open(&self, file: &Path) -> Arc<dyn TaskBackend> {
        match self.kind {
            Kind::Sqlite => Arc::new(
                SqliteBackend::open(SqliteOptions::new(file))
                    .await
                    .expect("a file"),
            ),
            Kind::Postgres => {
                let options = PostgresOptions::new(&self.url).and_then(|options| options.schema(&*self.name));
                let opened = PostgresBackend::open(options.expect("an address")).await;
                Arc::new(opened.expect("the schema can be opened"))
            }
            Kind::Mysql => {
                let options = MysqlOptions::new(&self.database_at(&self.url)).expect("an address");
                Arc::new(
                    MysqlBackend::open(options)
                        .await
                        .expect("the database can be opened"),
                )
            }
            Kind::Redis | Kind::RedisCluster => {
                let options =
                    RedisOptions::from_url(&self.url).and_then(|options| options.prefix(&*self.name));
                let opened = RedisBackend::open(options.expect("an address")).await;
                Arc::new(opened.expect("the server can be opened"))
            }
        }
    }

    /// What stands in the store that only waiting and running tasks leave there, by its name.
    pub async fn leftovers(&self, file: &Path) -> Vec<String> {
        const TABLES: [&str; 4] = ["ready", "scheduled", "claim", "cancellation"];
        if matches!(self.kind, Kind::Redis | Kind::RedisCluster) {
            return self.left_keys();
        }
        let counts = TABLES.map(|table| format!("(SELECT count(*) FROM @{table})"));
        let counts = self.numbers(file, &format!("SELECT {}", counts.join(", "))).await;
        let left = counts.into_iter().zip(TABLES).filter(|(count, _)| *count > 0);
        left.map(|(count, table)| format!("{count} in {table}")).collect()
    }

    /// The one row of a query in which `@name` is a table and `@int` the type of its numbers.
    pub async fn numbers(&self, file: &Path, query: &str) -> Vec<i64> {
        let int = match self.kind {
            Kind::Postgres => "bigint",
            Kind::Mysql => "SIGNED",
            _ => "INTEGER",
        };
        let prefix = match self.kind {
            Kind::Postgres => format!("\"{}\".", self.name),
            _ => String::new(),
        };
        let query = query.replace("@int", int).replace('@', &prefix);
        match self.kind {
            Kind::Postgres => {
                let mut server = PgConnection::connect(&self.url)
                    .await
                    .expect("the server is there");
                let row = server
                    .fetch_one(AssertSqlSafe(query))
                    .await
                    .expect("the query is right");
                (0..row.len()).map(|column| row.get(column)).collect()
            }
            Kind::Mysql => {
                let url = self.database_at(&self.url);
                let mut server = MySqlConnection::connect(&url).await.expect("the server is there");
                let row = server
                    .fetch_one(AssertSqlSafe(query))
                    .await
                    .expect("the query is right");
                (0..row.len()).map(|column| row.get(column)).collect()
            }
            _ => Sql::open(file).await.numbers(query).await,
        }
    }

    /// Connections to all servers.
    pub fn connections(&self) -> Vec<Connection> {
        let connect = |node: &str| {
            let client = redis::Client::open(node).expect("an address");
            client.get_connection().expect("the server answers")
        };
        self.url.split(',').map(connect).collect()
    }

    fn keys(&self, connection: &mut Connection) -> Vec<String> {
        let keys = redis::cmd("KEYS")
            .arg(format!("{{{}:*", self.name))
            .query(connection);
        keys.unwrap_or_default()
    }

    fn left_keys(&self) -> Vec<String> {
        const OF_UNFINISHED: [&str; 9] = [
            "ready",
            "heads",
            "ranks",
            "scheduled",
            "running",
            "claim",
            "held",
            "left",
            "cancel",
        ];
        let keys = self
            .connections()
            .into_iter()
            .flat_map(|mut node| self.keys(&mut node));
        keys.filter(|key| {
            let (_, key) = key.split_once('}').expect("every key has its tag");
            let key = key.trim_start_matches(':');
            OF_UNFINISHED.contains(&key.split(':').next().unwrap_or_default())
        })
        .collect()
    }

    /// Ends connections to this part of the server as an administrator would, and says how many.
    pub async fn cut(&self) -> usize {
        match self.kind {
            Kind::Sqlite => 0,
            Kind::Postgres => {
                let mut server = PgConnection::connect(&self.url)
                    .await
                    .expect("the server is there");
                let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
                let cut: i64 = sqlx::query_scalar(query)
                    .fetch_one(&mut server)
                    .await
                    .expect("it may");
                usize::try_from(cut).expect("few")
            }
            Kind::Mysql => {
                let mut server = MySqlConnection::connect(&self.url)
                    .await
                    .expect("the server is there");
                let query = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
                     WHERE user = 'root' AND id <> CONNECTION_ID()";
                let ids: Vec<i64> = sqlx::query_scalar(query)
                    .fetch_all(&mut server)
                    .await
                    .expect("it may");
                for id in &ids {
                    // One that has ended by itself cannot be ended.
                    let _ = server.execute(AssertSqlSafe(format!("KILL {id}"))).await;
                }
                ids.len()
            }
            Kind::Redis | Kind::RedisCluster => {
                let kill = |node: &mut Connection, kind: &str| -> usize {
                    let mut kill = redis::cmd("CLIENT");
                    kill.arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]);
                    kill.query(node).expect("it may")
                };
                let mut nodes = self.connections();
                let cut = nodes
                    .iter_mut()
                    .map(|node| kill(node, "normal") + kill(node, "pubsub"));
                cut.sum()
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        /// A server that is gone by now took it along.
        const WITHIN: Duration = Duration::from_secs(10);
        let (kind, url, name) = (self.kind, self.url.clone(), self.name.clone());
        match kind {
            Kind::Sqlite => {}
            Kind::Redis | Kind::RedisCluster => {
                for node in url.split(',') {
                    let Ok(client) = redis::Client::open(node) else {
                        continue;
                    };
                    let Ok(mut node) = client.get_connection_with_timeout(WITHIN) else {
                        continue;
                    };
                    for key in self.keys(&mut node) {
                        let _: redis::RedisResult<i64> = redis::cmd("UNLINK").arg(key).query(&mut node);
                    }
                }
            }
            Kind::Postgres | Kind::Mysql => {
                let dropping = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    let dropping = drop_part(kind, &url, &name);
                    let _ = runtime
                        .expect("a runtime")
                        .block_on(async { tokio::time::timeout(WITHIN, dropping).await });
                });
                let _ = dropping.join();
            }
        }
    }
}

async fn drop_part(kind: Kind, url: &str, name: &str) {
    if kind == Kind::Postgres {
        if let Ok(mut server) = PgConnection::connect(url).await {
            let drop = format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE");
            let _ = server.execute(AssertSqlSafe(drop)).await;
        }
    } else if let Ok(mut server) = MySqlConnection::connect(url).await {
        let drop = format!("DROP DATABASE IF EXISTS {name}");
        let _ = server.execute(AssertSqlSafe(drop)).await;
    }
}
