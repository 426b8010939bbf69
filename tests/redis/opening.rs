//! Opening a store: what is refused, and what it says.

use redis::Commands as _;
use task_backends::{RedisBackend, RedisOptions, connect};
use task_core::{ErrorKind, Settings, TaskBackend as _};

use crate::SERVER;
use crate::place::Place;
use crate::server::Server;

#[tokio::test]
async fn a_server_that_evicts_is_refused_unless_the_settings_allow_it() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let options = RedisOptions::from_url(&server.url()).expect("an address");
    let error = RedisBackend::open(options.clone()).await.expect_err("it evicts");
    assert_eq!(error.kind(), ErrorKind::InvalidBackend);
    assert!(error.to_string().contains("allkeys-lru"), "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("noeviction")));
    let allowed = RedisBackend::open(options.allow_eviction())
        .await
        .expect("allowed");
    allowed.close().await;
}

#[tokio::test]
async fn durable_is_declared_where_the_server_keeps_a_file_of_its_writes() {
    let server = Server::start(&["--appendonly", "no"]);
    let options = RedisOptions::from_url(&server.url()).expect("an address");
    let backend = RedisBackend::open(options).await.expect("opened");
    assert!(!backend.capabilities().durable);
    backend.close().await;
    let backend = Place::new(SERVER).open().await;
    assert!(backend.capabilities().durable, "the tests' server has one");
    backend.close().await;
}

#[tokio::test]
async fn keys_of_a_newer_version_are_refused_and_stay_as_they_are() {
    let place = Place::new(SERVER);
    place.open().await.close().await;
    let mut outside = place.outside().remove(0);
    let key = format!("{{{}:0}}:format", place.prefix);
    let _: () = outside.hset(&key, "version", 99).expect("written");
    let error = RedisBackend::open(place.options()).await.expect_err("newer");
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(
        error.to_string().contains("99") && error.advice().is_some(),
        "{error}"
    );
    let version: i64 = outside.hget(&key, "version").expect("read");
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_no_secret_is_told() {
    let url = "redis://user:secret@127.0.0.1:1/";
    let options = RedisOptions::from_url(url).expect("an address");
    let error = RedisBackend::open(options).await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_repeating_it() {
    let server = Server::start(&[]);
    let mut outside = server.connection();
    let set: redis::RedisResult<()> = redis::cmd("ACL")
        .arg(&["SETUSER", "app", "on", ">right", "~*", "&*", "+@all"])
        .query(&mut outside);
    set.expect("a user");
    let address = |password: &str| format!("redis://app:{password}@127.0.0.1:{}/", server.port);
    let options = |password: &str| RedisOptions::from_url(&address(password)).expect("an address");
    let error = RedisBackend::open(options("wrong")).await.expect_err("refused");
    assert!(error.to_string().contains("password"), "{error}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    RedisBackend::open(options("right"))
        .await
        .expect("let in")
        .close()
        .await;
}

#[tokio::test]
async fn the_settings_name_the_server_and_the_prefix() {
    let place = Place::new(SERVER);
    let text = format!(
        "[default]\nbackend = \"redis\"\nurl = \"{}\"\n[default.options]\nprefix = \"{}\"\n",
        place.url, place.prefix
    );
    let read = |text: &str| Settings::from_text(text, "tasks.toml".as_ref(), &Default::default());
    let backends = connect(&read(&text).expect("settings")).await.expect("opened");
    let alias = backends.get("default").expect("the only one");
    assert_eq!(alias.backend().kind(), "redis");
    assert!(format!("{:?}", alias.backend()).contains(&place.prefix));
    alias.backend().close().await;
    for (wrong, says) in [
        (text.replace("prefix =", "prefex ="), "did you mean `prefix`?"),
        (text.replace(&place.prefix, "a{b}"), "1 to 64 ASCII letters"),
    ] {
        let error = connect(&read(&wrong).expect("settings")).await.expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
}
