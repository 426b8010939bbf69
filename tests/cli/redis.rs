//! The commands on Redis: it has no schema to migrate, but a version that is looked at.

use redis::Commands as _;

use crate::enqueue;
use crate::servers::redis::{KIND, Place, SERVER};
use crate::system::Site;

fn site(place: &Place) -> Site {
    Site::with_settings(&format!(
        "[reports]\nbackend = \"dummy\"\nqueues = []\n\n\
         [default]\nbackend = \"{KIND}\"\nqueues = []\n{}",
        place.settings()
    ))
}

#[tokio::test]
async fn there_is_nothing_to_migrate() {
    let place = Place::new(SERVER);
    let site = site(&place);
    for command in [&["migrate", "--dry-run"][..], &["migrate"]] {
        let said = site.run(command).await.exits_with(0).quietly();
        assert_eq!(
            said.line(),
            "default: the redis backend has no schema, nothing to migrate"
        );
    }
}

#[tokio::test]
async fn check_prints_what_the_backend_can_do() {
    let place = Place::new(SERVER);
    let said = site(&place).run(&["check"]).await.exits_with(0).quietly();
    for row in [
        ["kind", "redis", "dummy"],
        ["reachable", "yes", "yes"],
        ["get_result", "yes", "no"],
        ["durable", "yes", "no"],
    ] {
        assert!(said.words().contains(&row.to_vec()), "{row:?} in {said:#?}");
    }
}

#[tokio::test]
async fn keys_of_a_newer_version_are_7_with_what_to_do() {
    let place = Place::new(SERVER);
    let site = site(&place);
    enqueue(&site, "conformance::nothing", "{}", &[]).await;
    let key = format!("{{{}:0}}:format", place.prefix);
    let _: () = place
        .outside()
        .remove(0)
        .hset(&key, "version", 4711)
        .expect("written");
    for command in [&["run", "--batch"][..], &["list"], &["check"], &["migrate"]] {
        let said = site.run(command).await.exits_with(7);
        said.complains(&["4711", "run a newer version of this program"]);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_1_without_the_password() {
    let site = Site::with_settings(
        "[default]\nbackend = \"redis\"\nqueues = []\nurl = \"redis://user:secret@127.0.0.1:1/\"\n",
    );
    for command in [&["check"][..], &["enqueue", "conformance::nothing"]] {
        let said = site.run(command).await.exits_with(1);
        assert!(!said.err.contains("secret"), "{said:#?}");
        said.complains(&["is it running", "hint: "]);
    }
}
