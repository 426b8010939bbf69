//! Commits that the server heard of and whose answer never came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance::played_worker::{PlayedWorker, succeeded};
use task_backends::PostgresBackend;
use task_core::{TaskBackend, TaskStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::place::url;
use super::{PATIENCE, Place, new_task};

/// Says of what a client sends whether it commits something.
type Commits = fn(&[u8]) -> bool;

/// The end of a transaction, as text.
fn is_the_word(sent: &[u8]) -> bool {
    sent.windows(7).any(|word| word == b"COMMIT\0")
}

/// A prepared statement is run: it begins with a message of the type `B` for bind.
fn is_a_prepared_statement(sent: &[u8]) -> bool {
    sent.first() == Some(&b'B')
}

/// Stands between a backend and the server. When it is armed, it lets the next commit through
/// and cuts the connection as soon as the server answers.
struct Proxy {
    url: String,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(commits: Commits) -> Self {
        let server = url();
        let (before, rest) = server.split_once('@').expect("the url names a user");
        let (address, database) = rest.split_once('/').expect("the url names a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has one").port();
        let armed = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let (armed, address) = (armed.clone(), address.to_owned());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = TcpStream::connect(&address).await.expect("the server is there");
                    tokio::spawn(forward(client, server, armed.clone(), commits));
                }
            }
        });
        Self {
            url: format!("{before}@127.0.0.1:{port}/{database}"),
            armed,
        }
    }

    /// Whether the next commit will still be cut.
    fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>, commits: Commits) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_last = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked), if !is_last => {
                let Ok(size @ 1..) = read else { return };
                let text = &asked[..size];
                is_last = commits(text) && armed.swap(false, Ordering::SeqCst);
                if server.write_all(text).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(size @ 1..) = read else { return };
                // The answer to the commit stays here.
                if is_last || client.write_all(&answered[..size]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// With `notify` off every statement stands in a transaction, so that there is the word to be cut.
async fn opened_behind(proxy: &Proxy, place: &Place, notify: bool) -> Arc<dyn TaskBackend> {
    let options = place.options_at(&proxy.url).notify(notify);
    Arc::new(
        PostgresBackend::open(options)
            .await
            .expect("the schema can be opened"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_whose_commit_was_not_heard_are_there_once_and_accepted() {
    let (place, proxy) = (Place::new().await, Proxy::start(is_the_word).await);
    let store = opened_behind(&proxy, &place, false).await;
    store.enqueue(vec![new_task()]).await.expect("accepted");
    proxy.arm();
    let tasks = vec![new_task(), new_task(), new_task()];
    let records = store.enqueue(tasks).await.expect("stored, and found out");
    assert!(!proxy.is_armed(), "no commit was cut");
    for record in &records {
        let found = store.find(record.id).await.expect("it can be read");
        assert_eq!(found.as_ref(), Some(record));
    }
    let mut outside = place.outside().await;
    assert_eq!(outside.number("SELECT count(*) FROM task").await, 4);
    assert_eq!(outside.number("SELECT count(*) FROM ready").await, 4);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_commit_was_not_heard_holds_no_task_back() {
    let (place, proxy) = (Place::new().await, Proxy::start(is_the_word).await);
    let store = opened_behind(&proxy, &place, false).await;
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    let task = store.enqueue(vec![new_task()]).await.expect("accepted").remove(0);
    proxy.arm();
    let claimed = worker.claim_one().await;
    assert!(!proxy.is_armed(), "no commit was cut");
    assert_eq!((claimed.record.id, claimed.record.attempts), (task.id, 0));
    let mut outside = place.outside().await;
    assert_eq!(
        outside.number("SELECT count(*) FROM claim").await,
        1,
        "the other one is gone"
    );
    worker.finish(vec![succeeded(claimed, "1")]).await;
    let found = store
        .find(task.id)
        .await
        .expect("it can be read")
        .expect("it is there");
    assert_eq!((found.status, found.attempts), (TaskStatus::Successful, 1));
    assert_eq!(outside.number("SELECT count(*) FROM claim").await, 0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_stored_by_one_statement_of_which_nobody_heard_are_there_once_and_accepted() {
    let (place, proxy) = (Place::new().await, Proxy::start(is_a_prepared_statement).await);
    let store = opened_behind(&proxy, &place, true).await;
    store.enqueue(vec![new_task()]).await.expect("accepted");
    proxy.arm();
    let record = store.enqueue(vec![new_task()]).await.expect("stored").remove(0);
    assert!(!proxy.is_armed(), "no statement was cut");
    let found = store.find(record.id).await.expect("it can be read");
    assert_eq!(found, Some(record));
    let mut outside = place.outside().await;
    assert_eq!(outside.number("SELECT count(*) FROM task").await, 2);
    assert_eq!(outside.number("SELECT count(*) FROM ready").await, 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_by_one_statement_of_which_nobody_heard_holds_no_task_back() {
    let (place, proxy) = (Place::new().await, Proxy::start(is_a_prepared_statement).await);
    let store = opened_behind(&proxy, &place, true).await;
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    let other = PlayedWorker::join(&store, "other", PATIENCE).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let stored = store.enqueue(vec![new_task()]).await.expect("accepted");
        ids.extend(stored.iter().map(|task| task.id));
    }
    let mut outside = place.outside().await;
    // What is known already stays claimed, whoever has it.
    let known = worker.claim(1).await.remove(0);
    let of_the_other = other.claim(1).await.remove(0);
    proxy.arm();
    let claimed = worker.claim(1).await.remove(0);
    assert!(!proxy.is_armed(), "no statement was cut");
    assert_eq!((claimed.record.id, claimed.record.attempts), (ids[2], 0));
    assert_eq!(outside.number("SELECT count(*) FROM claim").await, 3);
    assert_eq!(outside.number("SELECT count(*) FROM ready").await, 1);
    worker
        .finish(vec![succeeded(claimed, "1"), succeeded(known, "2")])
        .await;
    other.finish(vec![succeeded(of_the_other, "3")]).await;
    assert_eq!(outside.number("SELECT count(*) FROM claim").await, 0);
    assert_eq!(outside.number("SELECT count(*) FROM result").await, 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_very_first_claim_of_a_worker_may_be_the_one_nobody_heard_of() {
    let (place, proxy) = (Place::new().await, Proxy::start(is_a_prepared_statement).await);
    let store = opened_behind(&proxy, &place, true).await;
    // The statement is known to the connection, so that running it is what is sent first.
    let earlier = PlayedWorker::join(&store, "earlier", PATIENCE).await;
    assert!(earlier.claim(1).await.is_empty());
    store.enqueue(vec![new_task()]).await.expect("accepted");
    let before = earlier.claim_one().await;
    let worker = PlayedWorker::join(&store, "w", PATIENCE).await;
    let task = store.enqueue(vec![new_task()]).await.expect("accepted").remove(0);
    proxy.arm();
    let claimed = worker.claim_one().await;
    assert!(!proxy.is_armed(), "no statement was cut");
    assert_eq!(claimed.record.id, task.id);
    let mut outside = place.outside().await;
    assert_eq!(outside.number("SELECT count(*) FROM claim").await, 2);
    worker.finish(vec![succeeded(claimed, "1")]).await;
    earlier.finish(vec![succeeded(before, "2")]).await;
    assert_eq!(outside.number("SELECT count(*) FROM claim").await, 0);
    store.close().await;
}
