//! Redis: one server, and a cluster of three masters with a replica each, on free ports.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::find::{Wanted, find_or_install};
use super::{Running, Server, home};
use crate::failure::{Failure, Result};
use crate::process;

/// Where the tests find the single server.
const SINGLE: &str = "TEST_REDIS_URL";
/// Where the tests find the cluster: the addresses of its six servers, with commas between.
const CLUSTER: &str = "TEST_REDIS_CLUSTER_URL";

/// One server.
pub const REDIS: Server = Server {
    name: "redis",
    is_backend: true,
    start,
};

/// Six servers that are one cluster.
pub const REDIS_CLUSTER: Server = Server {
    name: "redis-cluster",
    is_backend: true,
    start: start_cluster,
};

/// The server of the cluster is found at this many ports above its own by the others.
const BUS_OFFSET: u16 = 10_000;

fn program(program: &'static str) -> Result<PathBuf> {
    let package = if program == "redis-cli" {
        "redis-tools"
    } else {
        "redis-server"
    };
    find_or_install(Wanted {
        program,
        package,
        folders: &[],
    })
}

/// A server on this port with its data in a folder, every write on disk before it is answered.
fn serve(server: &Path, folder: &Path, port: u16) -> Command {
    let mut command = home::tied(server);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
    command
        .args(["--maxmemory-policy", "noeviction", "--dir"])
        .arg(folder);
    command
}

fn answers(cli: &Path, port: u16) -> bool {
    let mut ping = process::program(cli);
    ping.args(["-h", "127.0.0.1", "-p", &port.to_string(), "PING"]);
    process::succeeds(&mut ping)
}

fn version(server: &Path) -> Result<String> {
    let version = process::read(
        process::program(server).arg("--version"),
        "It prints its version.",
    )?;
    let version = version
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="));
    Ok(version.unwrap_or("unknown").to_owned())
}

fn start() -> Result<Running> {
    start_with(&[])
}

/// Starts one with these settings besides.
pub fn start_with(settings: &[String]) -> Result<Running> {
    let (server, cli) = (program("redis-server")?, program("redis-cli")?);
    let folder = home::folder()?;
    let port = home::free_port()?;
    let mut command = serve(&server, folder.path(), port);
    command.args(settings);
    let mut child = home::start(command, "redis", folder.path())?;
    home::until_it_answers(&mut child, "redis", folder.path(), || answers(&cli, port))?;
    Ok(Running {
        version: version(&server)?,
        environment: vec![(SINGLE, format!("redis://127.0.0.1:{port}/"))],
        processes: vec![child],
        folder: Some(folder),
        also: Vec::new(),
    })
}

fn start_cluster() -> Result<Running> {
    let (server, cli) = (program("redis-server")?, program("redis-cli")?);
    let folder = home::folder()?;
    let mut running = Running {
        version: version(&server)?,
        environment: Vec::new(),
        processes: Vec::new(),
        folder: None,
        also: Vec::new(),
    };
    let mut ports = Vec::new();
    while ports.len() < 6 {
        let port = free_pair()?;
        let own = folder.path().join(port.to_string());
        let made = std::fs::create_dir(&own);
        made.map_err(|error| Failure::new(format!("no folder for a server: {error}"), "Make room for it."))?;
        running.processes.push(start_member(&server, &cli, &own, port)?);
        ports.push(port);
    }
    let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut join = process::program(&cli);
    join.args(["--cluster", "create"]).args(&addresses);
    join.args(["--cluster-replicas", "1", "--cluster-yes"]);
    process::read(
        &mut join,
        "`redis-cli --cluster create` says above what is wrong.",
    )?;
    for (port, child) in ports.iter().zip(&mut running.processes) {
        let own = folder.path().join(port.to_string());
        home::until_it_answers(child, "redis", &own, || knows_the_cluster(&cli, *port))?;
    }
    let urls: Vec<String> = addresses
        .iter()
        .map(|address| format!("redis://{address}/"))
        .collect();
    running.environment.push((CLUSTER, urls.join(",")));
    running.folder = Some(folder);
    Ok(running)
}

fn start_member(server: &Path, cli: &Path, own: &Path, port: u16) -> Result<Child> {
    let mut command = serve(server, own, port);
    command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
    let mut child = home::start(command, "redis", own)?;
    home::until_it_answers(&mut child, "redis", own, || answers(cli, port))?;
    Ok(child)
}

/// Whether this member sees all slots served and its three replicas.
fn knows_the_cluster(cli: &Path, port: u16) -> bool {
    let ask = |words: &[&str]| {
        let mut command = process::program(cli);
        let output = command
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(words)
            .output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    };
    let nodes = ask(&["CLUSTER", "NODES"]);
    ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        && nodes.lines().filter(|line| line.contains("slave")).count() == 3
}

/// A free port whose bus port is free, too.
fn free_pair() -> Result<u16> {
    for _ in 0..1000 {
        let port = home::free_port()?;
        let bus = port.checked_add(BUS_OFFSET);
        if bus.is_some_and(|bus| std::net::TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return Ok(port);
        }
    }
    Err(Failure::new(
        "no free pair of ports",
        "Close programs that listen.",
    ))
}
