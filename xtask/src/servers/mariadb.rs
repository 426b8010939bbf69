//! MariaDB: a data folder of its own, a user without a password, on a free port.

use std::path::PathBuf;

use super::find::{Wanted, find_or_install};
use super::{Running, Server, home};
use crate::failure::Result;
use crate::process;

/// Where the tests find it.
const VARIABLE: &str = "TEST_MYSQL_URL";

/// The server. The backend it stands for is called `mysql`.
pub const MARIADB: Server = Server {
    name: "mysql",
    is_backend: true,
    start,
};

fn program(program: &'static str) -> Result<PathBuf> {
    find_or_install(Wanted {
        program,
        package: "mariadb-server",
        folders: &[],
    })
}

fn start() -> Result<Running> {
    start_with(&[])
}

/// Starts one with these arguments besides.
pub fn start_with(arguments: &[String]) -> Result<Running> {
    let (make, serve, ask) = (
        program("mariadb-install-db")?,
        program("mariadbd")?,
        program("mariadb-admin")?,
    );
    let folder = home::folder()?;
    let (data, socket) = (folder.path().join("data"), folder.path().join("socket"));
    let port = home::free_port()?.to_string();
    let mut make = home::tied_not_as_root(&make, folder.path())?;
    make.current_dir(folder.path())
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()));
    // An account that anybody on this machine may use, so that no password is needed.
    make.args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]);
    process::read(&mut make, "`mariadb-install-db` says above what it misses.")?;

    let mut serving = home::tied_not_as_root(&serve, folder.path())?;
    serving
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()));
    serving
        .arg(format!("--socket={}", socket.display()))
        .arg(format!("--port={port}"));
    serving.args([
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--max-connections=400",
        "--innodb-buffer-pool-size=256M",
        // What a server loses when the machine dies is not what these tests are about.
        "--innodb-flush-log-at-trx-commit=2",
        "--character-set-server=utf8mb4",
    ]);
    serving.args(arguments);
    let mut server = home::start(serving, "mariadbd", folder.path())?;
    let asked = [
        "--no-defaults",
        "--host=127.0.0.1",
        &format!("--port={port}"),
        "--user=root",
        "ping",
    ];
    home::until_it_answers(&mut server, "mariadbd", folder.path(), || {
        process::succeeds(process::program(&ask).args(asked))
    })?;
    let version = process::read(
        process::program(&serve).arg("--version"),
        "It prints its version.",
    )?;
    let version = version
        .split_whitespace()
        .find(|word| word.contains("MariaDB"))
        .unwrap_or("unknown");
    Ok(Running {
        version: version.to_owned(),
        environment: vec![(VARIABLE, format!("mysql://root@127.0.0.1:{port}/mysql"))],
        processes: vec![server],
        folder: Some(folder),
        also: Vec::new(),
    })
}
