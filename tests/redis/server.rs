//! Servers that one test has to itself: it may stop them, start them again and change their settings.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

/// Far longer than a server takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of Redis with its data in a folder of its own. It ends when this is dropped.
pub struct Server {
    pub port: u16,
    folder: TempDir,
    settings: Vec<String>,
    process: Child,
}

impl Server {
    /// Starts one that writes to its file before it answers, and has these settings besides.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        let process = spawn(port, folder.path(), &settings);
        let server = Self {
            port,
            folder,
            settings,
            process,
        };
        server.wait_until_it_answers();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn connection(&self) -> Connection {
        let client = Client::open(self.url()).expect("an address");
        client.get_connection().expect("it answers")
    }

    /// Ends it like a failure of power.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Starts it again on what it had written.
    pub fn start_again(&mut self) {
        self.process = spawn(self.port, self.folder.path(), &self.settings);
        self.wait_until_it_answers();
    }

    pub fn wait_until_it_answers(&self) {
        let client = Client::open(self.url()).expect("an address");
        until("it answers", || {
            let connection = client.get_connection();
            connection.is_ok_and(|mut connection| redis::cmd("PING").query::<String>(&mut connection).is_ok())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port nobody listens on, whose neighbour for a cluster's bus is free, too.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

fn spawn(port: u16, folder: &Path, settings: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]);
    command.arg(folder).args(settings);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .expect("`redis-server` is on the path: `cargo xtask test` installs it where it may")
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
