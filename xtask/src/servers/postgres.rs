//! PostgreSQL: a cluster of its own, without passwords, on a free port.

use std::path::PathBuf;

use super::find::{Wanted, find_or_install};
use super::{Running, Server, home};
use crate::failure::Result;
use crate::process;

/// Where the tests find it.
const VARIABLE: &str = "TEST_POSTGRES_URL";

/// The server.
pub const POSTGRES: Server = Server {
    name: "postgres",
    is_backend: true,
    start,
};

fn program(program: &'static str) -> Result<PathBuf> {
    find_or_install(Wanted {
        program,
        package: "postgresql",
        folders: &["/usr/lib/postgresql/*/bin"],
    })
}

/// Starts one that lets everybody in.
pub fn start() -> Result<Running> {
    start_with(&["--auth=trust".to_owned()], &[])
}

/// Starts one that was made with these arguments of `initdb` and has these settings besides.
pub fn start_with(made_with: &[String], settings: &[String]) -> Result<Running> {
    let (initdb, postgres, ready) = (program("initdb")?, program("postgres")?, program("pg_isready")?);
    let folder = home::folder()?;
    let data = folder.path().join("data");
    let port = home::free_port()?.to_string();
    let mut make = home::tied_not_as_root(&initdb, folder.path())?;
    make.current_dir(folder.path()).arg("--pgdata").arg(&data);
    make.args(["--username=tasks", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    make.args(made_with);
    process::read(&mut make, "`initdb` says above what it misses.")?;

    let mut serve = home::tied_not_as_root(&postgres, folder.path())?;
    serve.arg("-D").arg(&data);
    for setting in [
        &format!("port={port}"),
        "listen_addresses=127.0.0.1",
        &format!("unix_socket_directories={}", folder.path().display()),
        "max_connections=400",
        // What a server loses when the machine dies is not what these tests are about.
        "fsync=off",
        "max_prepared_transactions=0",
    ] {
        serve.arg("-c").arg(setting);
    }
    for setting in settings {
        serve.arg("-c").arg(setting);
    }
    let mut server = home::start(serve, "postgres", folder.path())?;
    let asked = ["--host=127.0.0.1", &format!("--port={port}"), "--username=tasks"];
    home::until_it_answers(&mut server, "postgres", folder.path(), || {
        process::succeeds(process::program(&ready).args(asked))
    })?;
    let version = process::read(
        process::program(&postgres).arg("--version"),
        "It prints its version.",
    )?;
    Ok(Running {
        version: version.split_whitespace().nth(2).unwrap_or("unknown").to_owned(),
        environment: vec![(VARIABLE, format!("postgres://tasks@127.0.0.1:{port}/postgres"))],
        processes: vec![server],
        folder: Some(folder),
        also: Vec::new(),
    })
}
