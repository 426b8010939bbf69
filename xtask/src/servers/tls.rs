//! Servers that ask for a password and encrypt: PostgreSQL, MariaDB and Redis with certificates made here.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::find::{Wanted, find_or_install};
use super::{Running, Server, home, mariadb, postgres, redis};
use crate::failure::{Failure, Result};
use crate::process;

/// The servers. The tests' user is `tasks` with the password `ri@ght`, `ri%40ght` in a URL; the certificates are for 127.0.0.1.
pub const TLS: Server = Server {
    name: "tls",
    is_backend: false,
    start,
};

/// An authority nobody trusts by itself, another one, and what the first says about 127.0.0.1.
fn make_certificates(folder: &Path) -> Result<()> {
    let openssl = find_or_install(Wanted {
        program: "openssl",
        package: "openssl",
        folders: &[],
    })?;
    let run = |arguments: &str| {
        let mut command = process::program(&openssl);
        command.current_dir(folder).args(arguments.split(' '));
        ends_well(&mut command)
    };
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["authority", "other"] {
        run(&format!(
            "req -x509 {KEY} -keyout {name}.key -out {name}.pem -days 3 -subj /CN=tests-{name}"
        ))?;
    }
    run(&format!(
        "req {KEY} -keyout server.key -out server.csr -subj /CN=tests"
    ))?;
    write(&folder.join("server.txt"), "subjectAltName=IP:127.0.0.1\n")?;
    run(
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out server.pem -days 3 -extfile server.txt",
    )
}

fn ends_well(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| {
        Failure::new(
            format!("openssl was not started: {error}"),
            "Is it installed whole?",
        )
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(
        "openssl made no certificate",
        format!("It says: {}", String::from_utf8_lossy(&output.stderr)),
    ))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(
            format!("{} cannot be written: {error}", path.display()),
            "Make room for it.",
        )
    })
}

/// Lets the user read it who runs the servers.
fn give(path: &Path, mode: u32) -> Result<()> {
    home::give(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|error| {
        Failure::new(
            format!("{} cannot be given to the servers: {error}", path.display()),
            "They read their key there.",
        )
    })
}

fn start() -> Result<Running> {
    let folder = home::folder()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    make_certificates(folder.path())?;
    write(folder.path().join("password").as_path(), "ri@ght\n")?;
    write(
        folder.path().join("user.sql").as_path(),
        "CREATE USER 'tasks'@'%' IDENTIFIED BY 'ri@ght';\nGRANT ALL ON *.* TO 'tasks'@'%';\n",
    )?;
    give(&folder.path().join("server.key"), 0o600)?;
    give(folder.path(), 0o755)?;

    let postgres = postgres::start_with(
        &[
            "--auth-local=trust".to_owned(),
            "--auth-host=scram-sha-256".to_owned(),
            format!("--pwfile={}", at("password")),
        ],
        &[
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", at("server.pem")),
            format!("ssl_key_file={}", at("server.key")),
        ],
    )?;
    let mariadb = mariadb::start_with(&[
        format!("--ssl-cert={}", at("server.pem")),
        format!("--ssl-key={}", at("server.key")),
        format!("--init-file={}", at("user.sql")),
    ])?;
    let encrypted = home::free_port()?;
    let settings = format!(
        "--tls-port {encrypted} --tls-cert-file {} --tls-key-file {} --tls-ca-cert-file {} --tls-auth-clients no \
         --user tasks on >ri@ght ~* &* +@all",
        at("server.pem"),
        at("server.key"),
        at("authority.pem")
    );
    let redis = redis::start_with(&settings.split(' ').map(str::to_owned).collect::<Vec<_>>())?;
    let version = process::read(
        process::program("openssl").arg("version"),
        "It prints its version.",
    )?;
    let known = |url: &str, user: &str| url.replace(user, "tasks:ri%40ght@");
    Ok(Running {
        version: version.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        environment: vec![
            (
                "TEST_TLS_POSTGRES_URL",
                known(&postgres.environment[0].1, "tasks@"),
            ),
            ("TEST_TLS_MYSQL_URL", known(&mariadb.environment[0].1, "root@")),
            (
                "TEST_TLS_REDIS_URL",
                format!("rediss://tasks:ri%40ght@127.0.0.1:{encrypted}/"),
            ),
            ("TEST_TLS_FOLDER", folder.path().display().to_string()),
        ],
        processes: Vec::new(),
        folder: Some(folder),
        also: vec![postgres, mariadb, redis],
    })
}
