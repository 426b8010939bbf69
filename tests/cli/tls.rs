//! Encrypted connections and passwords: what is let in, what is refused, and what a person is told.

use std::path::PathBuf;

use crate::system::{Said, Site};

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; `cargo xtask test` starts such servers and sets it"))
}

/// A file with the certificate of the authority that vouches for the servers, or of another one.
fn authority(name: &str) -> PathBuf {
    PathBuf::from(variable("TEST_TLS_FOLDER")).join(format!("{name}.pem"))
}

/// Runs this on a store with this url. The machine trusts this authority.
async fn run(kind: &str, url: &str, trusts: &str, arguments: &[&str]) -> Said {
    let settings = format!(
        "[default]\nbackend = \"{kind}\"\nqueues = []\nurl = \"{url}\"\n[reports]\nbackend = \"dummy\"\nqueues = []\n"
    );
    let trusted = authority(trusts);
    let trusted = trusted.to_str().expect("a temporary folder has a plain name");
    let site = Site::with_settings(&settings);
    site.run_with(&[("SSL_CERT_FILE", trusted)], arguments, "").await
}

/// A task goes through the store and back.
async fn assert_works(kind: &str, url: &str) {
    let enqueue = ["enqueue", "conformance::echo", r#"{"text": "x"}"#];
    let said = run(kind, url, "authority", &enqueue).await.exits_with(0);
    let id = said.line().to_owned();
    run(kind, url, "authority", &["run", "--batch"])
        .await
        .exits_with(0);
    let said = run(kind, url, "authority", &["show", &id, "--json"])
        .await
        .exits_with(0);
    assert_eq!(said.json()["return_value"], "x", "{said:#?}");
}

/// Nothing is let in, with exit code 1 and these words, and no password is repeated.
async fn assert_refused(kind: &str, url: &str, trusts: &str, words: &[&str]) {
    for command in [&["check"][..], &["enqueue", "conformance::nothing"]] {
        let said = run(kind, url, trusts, command).await.exits_with(1);
        for secret in ["ri%40ght", "ri@ght", "wrong-one"] {
            assert!(
                !said.err.contains(secret) && !said.out.contains(secret),
                "{said:#?}"
            );
        }
        said.complains(words);
    }
}

/// What is said when the certificate is not what it should be.
const NOT_TRUSTED: [&str; 3] = [
    "no encrypted connection",
    "certificate",
    "hint: is the certificate for the host",
];

mod postgres {
    use super::{NOT_TRUSTED, assert_refused, assert_works, authority, variable};

    /// The url of the server at this host, with this password and authority.
    fn url(host: &str, password: &str, trusts: &str) -> String {
        let url = variable("TEST_TLS_POSTGRES_URL");
        let url = url
            .replace("127.0.0.1", host)
            .replace(":ri%40ght@", &format!(":{password}@"));
        format!(
            "{url}?sslmode=verify-full&sslrootcert={}",
            authority(trusts).display()
        )
    }

    #[tokio::test]
    async fn a_server_whose_certificate_is_vouched_for_is_used() {
        assert_works("postgres", &url("127.0.0.1", "ri%40ght", "authority")).await;
    }

    #[tokio::test]
    async fn another_authority_or_another_name_is_refused() {
        assert_refused(
            "postgres",
            &url("127.0.0.1", "ri%40ght", "other"),
            "authority",
            &NOT_TRUSTED,
        )
        .await;
        assert_refused(
            "postgres",
            &url("localhost", "ri%40ght", "authority"),
            "authority",
            &NOT_TRUSTED,
        )
        .await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_as_such() {
        let words = ["does not let this user in", "hint: check user and password"];
        assert_refused(
            "postgres",
            &url("127.0.0.1", "wrong-one", "authority"),
            "authority",
            &words,
        )
        .await;
    }
}

mod mysql {
    use super::{NOT_TRUSTED, assert_refused, assert_works, authority, variable};

    /// The url of the server at this host, with this password and authority.
    fn url(host: &str, password: &str, trusts: &str) -> String {
        let url = variable("TEST_TLS_MYSQL_URL");
        let url = url
            .replace("127.0.0.1", host)
            .replace(":ri%40ght@", &format!(":{password}@"));
        format!(
            "{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={}",
            authority(trusts).display()
        )
    }

    #[tokio::test]
    async fn a_server_whose_certificate_is_vouched_for_is_used() {
        assert_works("mysql", &url("127.0.0.1", "ri%40ght", "authority")).await;
    }

    #[tokio::test]
    async fn another_authority_or_another_name_is_refused() {
        assert_refused(
            "mysql",
            &url("127.0.0.1", "ri%40ght", "other"),
            "authority",
            &NOT_TRUSTED,
        )
        .await;
        assert_refused(
            "mysql",
            &url("localhost", "ri%40ght", "authority"),
            "authority",
            &NOT_TRUSTED,
        )
        .await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_as_such() {
        let words = ["does not let this user in", "hint: check user, password"];
        assert_refused(
            "mysql",
            &url("127.0.0.1", "wrong-one", "authority"),
            "authority",
            &words,
        )
        .await;
    }
}

mod redis {
    use super::{NOT_TRUSTED, assert_refused, assert_works, variable};

    /// The url of the server at this host, with this password.
    fn url(host: &str, password: &str) -> String {
        let url = variable("TEST_TLS_REDIS_URL");
        url.replace("127.0.0.1", host)
            .replace(":ri%40ght@", &format!(":{password}@"))
    }

    #[tokio::test]
    async fn a_server_whose_certificate_is_vouched_for_is_used() {
        assert_works("redis", &url("127.0.0.1", "ri%40ght")).await;
    }

    #[tokio::test]
    async fn another_authority_or_another_name_is_refused() {
        assert_refused("redis", &url("127.0.0.1", "ri%40ght"), "other", &NOT_TRUSTED).await;
        assert_refused("redis", &url("localhost", "ri%40ght"), "authority", &NOT_TRUSTED).await;
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_as_such() {
        let words = ["refuses the user or the password", "hint: write them into `url`"];
        assert_refused("redis", &url("127.0.0.1", "wrong-one"), "authority", &words).await;
    }
}
