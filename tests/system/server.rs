//! Servers that one test has to itself: it may stop them, kill them, and start them again.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, getuid, kill_process};
use sqlx::{Connection as _, MySqlConnection, PgConnection};
use tempfile::TempDir;

use super::{Kind, Signal, eventually};

/// Some servers refuse to run as root.
const NOBODY: u32 = 65534;

/// Where distributions put programs that are not on the path.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql"];

/// A server with its data in a folder of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// An empty one that answers.
    pub async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if getuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let mut server = Self {
            kind,
            port: free_port(),
            folder,
            process: None,
        };
        server.make_its_data();
        server.start_again().await;
        server
    }

    /// Where it is.
    pub fn url(&self) -> String {
        url_at(self.kind, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as an administrator does who restarts it, and returns when it is gone.
    pub fn stop(&mut self) {
        // PostgreSQL would wait for everybody to leave, if it were not for this signal.
        let signal = if self.kind == Kind::Postgres {
            Signal::INT
        } else {
            Signal::TERM
        };
        self.end(signal);
    }

    /// Ends it in the middle of whatever it does, and returns when it is gone.
    pub fn kill(&mut self) {
        // PostgreSQL's processes end at once and save nothing; killing the first one would leave the others.
        let signal = if self.kind == Kind::Postgres {
            Signal::QUIT
        } else {
            Signal::KILL
        };
        self.end(signal);
    }

    fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("it runs");
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process has a number"), signal).expect("it runs");
        process.wait().expect("it ends");
    }

    /// Starts it on the data that it has.
    pub async fn start_again(&mut self) {
        let (program, arguments) = self.command();
        self.process = Some(self.spawn(program, &arguments));
        let (kind, url) = (self.kind, self.url());
        eventually("the server to answer", async || answers(kind, &url).await).await;
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_its_data(&self) {
        let data = self.data().display().to_string();
        let (program, arguments) = match self.kind {
            Kind::Postgres => (
                "initdb",
                format!("--pgdata {data} --username=tasks --auth=trust --encoding=UTF8 --locale=C --no-sync"),
            ),
            Kind::Mysql => (
                "mariadb-install-db",
                format!(
                    "--no-defaults --datadir={data} --auth-root-authentication-method=normal --skip-test-db \
                     --skip-name-resolve"
                ),
            ),
            _ => return,
        };
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let status = self.spawn(program, &arguments).wait().expect("it ends");
        assert!(status.success(), "{program} ended with {status}");
    }

    fn command(&self) -> (&'static str, Vec<String>) {
        let (folder, port, data) = (self.folder.path().display(), self.port, self.data());
        let data = data.display();
        let (program, arguments) = match self.kind {
            Kind::Postgres => (
                "postgres",
                format!(
                    "-D {data} -c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} \
                     -c max_connections=100 -c fsync=off"
                ),
            ),
            Kind::Mysql => (
                "mariadbd",
                format!(
                    "--no-defaults --datadir={data} --socket={folder}/socket --port={port} \
                     --bind-address=127.0.0.1 --skip-name-resolve --innodb-buffer-pool-size=64M \
                     --innodb-flush-log-at-trx-commit=2"
                ),
            ),
            Kind::Redis => (
                "redis-server",
                format!(
                    "--port {port} --bind 127.0.0.1 --appendonly yes --appendfsync always --dir {folder} \
                     --save"
                ),
            ),
            Kind::Sqlite | Kind::RedisCluster => unreachable!("no single server"),
        };
        let mut arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        if self.kind == Kind::Redis {
            arguments.push(String::new());
        }
        (program, arguments)
    }

    /// Starts a program that ends with this one, and not as root.
    fn spawn(&self, program: &str, arguments: &[String]) -> Child {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("log"));
        let log = log.expect("the folder can be written to");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if getuid().is_root() {
            let nobody = NOBODY.to_string();
            command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
        }
        command
            .arg(find(program))
            .args(arguments)
            .current_dir(self.folder.path());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        command
            .spawn()
            .expect("`setpriv` is there: it belongs to util-linux")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            eprintln!("--- the server ---\n{}\n---", last.join("\n"));
        }
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// The address of a server on this port of this machine.
pub fn url_at(kind: Kind, port: u16) -> String {
    match kind {
        Kind::Postgres => format!("postgres://tasks@127.0.0.1:{port}/postgres"),
        Kind::Mysql => format!("mysql://root@127.0.0.1:{port}/mysql"),
        _ => format!("redis://127.0.0.1:{port}/"),
    }
}

async fn answers(kind: Kind, url: &str) -> Result<(), String> {
    match kind {
        Kind::Postgres => PgConnection::connect(url)
            .await
            .map(drop)
            .map_err(|error| error.to_string()),
        Kind::Mysql => MySqlConnection::connect(url)
            .await
            .map(drop)
            .map_err(|error| error.to_string()),
        _ => {
            let client = redis::Client::open(url).expect("an address");
            let answer = client
                .get_connection_with_timeout(Duration::from_secs(1))
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            answer.map(drop).map_err(|error| error.to_string())
        }
    }
}

fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.expect("a free port").port()
}

/// A server's program: where the distribution puts it, or on the path.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir(FOLDERS[2]).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(FOLDERS.iter().map(PathBuf::from));
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut files = folders.iter().map(|folder| folder.join(program));
    files
        .find(|file| Path::is_file(file))
        .unwrap_or_else(|| panic!("`{program}` is nowhere: `cargo xtask test` installs servers where it may"))
}
