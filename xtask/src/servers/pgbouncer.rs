//! PgBouncer before a PostgreSQL of its own: connections belong to a client for one transaction at a time.

use std::path::PathBuf;

use super::find::{Wanted, find_or_install};
use super::{Running, Server, home, postgres};
use crate::failure::{Failure, Result};
use crate::process;

/// Where the tests find it.
const VARIABLE: &str = "TEST_PGBOUNCER_URL";

/// The pooler.
pub const PGBOUNCER: Server = Server {
    name: "pgbouncer",
    is_backend: false,
    start,
};

fn program() -> Result<PathBuf> {
    find_or_install(Wanted {
        program: "pgbouncer",
        package: "pgbouncer",
        folders: &[],
    })
}

fn start() -> Result<Running> {
    let pooler = program()?;
    let server = postgres::start()?;
    let port_behind = server.environment[0]
        .1
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(port, _)| port);
    let folder = home::folder()?;
    let port = home::free_port()?;
    let (settings, users) = (
        folder.path().join("pgbouncer.ini"),
        folder.path().join("users.txt"),
    );
    // Fewer connections to the server than tests have clients, so that they do change hands.
    let text = format!(
        "[databases]\npostgres = host=127.0.0.1 port={port_behind} dbname=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = {}\npool_mode = transaction\n\
         max_client_conn = 1000\ndefault_pool_size = 20\n",
        users.display()
    );
    let written = std::fs::write(&settings, text).and_then(|()| std::fs::write(&users, "\"tasks\" \"\"\n"));
    written.map_err(|error| {
        Failure::new(
            format!("no settings for PgBouncer: {error}"),
            "Make room for them.",
        )
    })?;
    let mut serve = home::tied_not_as_root(&pooler, folder.path())?;
    serve.arg(&settings);
    let mut child = home::start(serve, "pgbouncer", folder.path())?;
    home::until_it_answers(&mut child, "pgbouncer", folder.path(), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })?;
    let version = process::read(
        process::program(&pooler).arg("--version"),
        "It prints its version.",
    )?;
    let version = version.split_whitespace().nth(1).unwrap_or("unknown");
    Ok(Running {
        version: format!("{version}, PostgreSQL {}", server.version),
        environment: vec![(VARIABLE, format!("postgres://tasks@127.0.0.1:{port}/postgres"))],
        processes: vec![child],
        folder: Some(folder),
        also: vec![server],
    })
}
