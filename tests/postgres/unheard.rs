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

/// Stands between a backend and the server. When it is armed, it lets the next commit through
/// and cuts the connection as soon as the server answers.
struct Proxy {
    url: String,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    async fn start() -> Self {
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
                    tokio::spawn(forward(client, server, armed.clone()));
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

async fn forward(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_last = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked), if !is_last => {
                let Ok(size @ 1..) = read else { return };
                let text = &asked[..size];
                let commits = text.windows(7).any(|word| word == b"COMMIT\0");
                is_last = commits && armed.swap(false, Ordering::SeqCst);
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

async fn opened_behind(proxy: &Proxy, place: &Place) -> Arc<dyn TaskBackend> {
    // Every statement in a transaction, so that there is a commit to be cut.
    let options = place.options_at(&proxy.url).notify(false);
    Arc::new(
        PostgresBackend::open(options)
            .await
            .expect("the schema can be opened"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_whose_commit_was_not_heard_are_there_once_and_accepted() {
    let (place, proxy) = (Place::new().await, Proxy::start().await);
    let store = opened_behind(&proxy, &place).await;
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
    let (place, proxy) = (Place::new().await, Proxy::start().await);
    let store = opened_behind(&proxy, &place).await;
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
