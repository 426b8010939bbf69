//! The examples run on every backend, by a change of the settings.

mod servers;
mod system;

use system::{Said, Site, said_by};

/// The settings in the README.
fn settings_in_the_readme() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README is there");
    let (_, rest) = readme.split_once("```toml\n").expect("it shows settings");
    rest.split_once("```").expect("the block has an end").0.to_owned()
}

/// These settings with another `backend` and `url`, the rest as it is.
fn moved_to(kind: &str, url_and_options: &str) -> String {
    let readme = settings_in_the_readme();
    let is_place = |line: &&str| line.starts_with("backend ") || line.starts_with("url ");
    let (place, rest): (Vec<_>, Vec<_>) = readme.lines().partition(is_place);
    assert_eq!(place.len(), 2, "{readme}");
    format!("{}\nbackend = \"{kind}\"\n{url_and_options}", rest.join("\n"))
}

async fn hello(site: &Site) -> Said {
    said_by(site.command(env!("CARGO_BIN_EXE_hello")), "")
        .await
        .exits_with(0)
}

/// The README's task runs on this backend, and its result is found.
async fn assert_greets(kind: &str, url_and_options: &str) {
    let site = Site::with_settings(&moved_to(kind, url_and_options));
    let said = hello(&site).await;
    let lines = said.lines();
    assert!(lines[0].ends_with(" is READY"), "{said:#?}");
    assert_eq!(lines[1], "Hello, Ada, at attempt 1", "{said:#?}");
    // It was really kept there: another program finds it by its id.
    let id = lines[0].split(' ').next().expect("an id");
    let shown = site.run(&["show", id, "--json"]).await.exits_with(0).json();
    assert_eq!(
        (&shown["name"], &shown["status"], &shown["return_value"]),
        (
            &"hello::greet".into(),
            &"SUCCESSFUL".into(),
            &"Hello, Ada, at attempt 1".into()
        )
    );
}

#[tokio::test]
async fn hello_runs_on_immediate_without_settings() {
    let site = Site::new();
    let mut command = site.command(env!("CARGO_BIN_EXE_hello"));
    command.env_remove("TASKS_CONFIG").current_dir(site.store());
    command.env_remove("CARGO_MANIFEST_DIR");
    let said = said_by(command, "").await.exits_with(0);
    assert!(said.lines()[0].ends_with(" is SUCCESSFUL"), "{said:#?}");
    assert_eq!(said.lines()[1], "Hello, Ada, at attempt 1");
}

#[tokio::test]
async fn hello_runs_with_the_settings_of_the_readme() {
    let site = Site::with_settings(&settings_in_the_readme());
    assert_eq!(hello(&site).await.lines()[1], "Hello, Ada, at attempt 1");
    assert!(
        site.folder().join("tasks.db").exists(),
        "in the file that they name"
    );
}

/// An order that is rolled back sends no mail, one that is committed sends one.
async fn assert_sells(url: &str) {
    let site = Site::new();
    let mut command = site.command(env!("CARGO_BIN_EXE_transaction"));
    command.arg(url);
    let said = said_by(command, "").await.exits_with(0);
    let lines = said.lines();
    assert_eq!(lines[..2], ["orders stored: 1", "mails sent: 1"], "{said:#?}");
    assert!(lines[2].contains("not found"), "{said:#?}");
    assert!(
        lines[3].ends_with(": Thank you for order 2: a pound of tea"),
        "{said:#?}"
    );
}

mod sqlite {
    use crate::servers::sqlite::{KIND, Place};

    #[tokio::test]
    async fn hello_runs_with_the_readmes_settings_but_for_the_place() {
        let place = Place::new().await;
        super::assert_greets(KIND, &place.settings()).await;
    }

    #[tokio::test]
    async fn an_order_and_its_mail_are_stored_or_neither() {
        let place = Place::new().await;
        super::assert_sells(&format!("sqlite://{}", place.path().display())).await;
    }
}

mod postgres {
    use crate::servers::postgres::{KIND, Place, url};

    #[tokio::test]
    async fn hello_runs_with_the_readmes_settings_but_for_the_place() {
        let place = Place::new().await;
        super::assert_greets(KIND, &place.settings()).await;
    }

    #[tokio::test]
    async fn an_order_and_its_mail_are_stored_or_neither() {
        let place = Place::new().await;
        // A database of the shop's own: the example leaves its tables there.
        let shop = place.name();
        let mut shell = place.shell().await;
        shell.run(format!("CREATE DATABASE {shop}")).await;
        let server = url();
        let (server, _) = server.rsplit_once('/').expect("the url names a database");
        super::assert_sells(&format!("{server}/{shop}")).await;
        shell.run(format!("DROP DATABASE {shop} WITH (FORCE)")).await;
    }
}

mod mysql {
    use crate::servers::mysql::{KIND, Place};

    #[tokio::test]
    async fn hello_runs_with_the_readmes_settings_but_for_the_place() {
        let place = Place::new().await;
        super::assert_greets(KIND, &place.settings()).await;
    }

    #[tokio::test]
    async fn an_order_and_its_mail_are_stored_or_neither() {
        let place = Place::new().await;
        super::assert_sells(&place.url()).await;
    }
}

mod redis {
    use crate::servers::redis::{KIND, Place, SERVER};

    #[tokio::test]
    async fn hello_runs_with_the_readmes_settings_but_for_the_place() {
        let place = Place::new(SERVER);
        super::assert_greets(KIND, &place.settings()).await;
    }
}

mod redis_cluster {
    use crate::servers::redis::{CLUSTER, KIND, Place};

    #[tokio::test]
    async fn hello_runs_with_the_readmes_settings_but_for_the_place() {
        let place = Place::new(CLUSTER);
        super::assert_greets(KIND, &place.settings()).await;
    }
}
