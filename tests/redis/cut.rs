//! Calls whose answer never comes: they are run, the connection breaks, and they are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance::played_worker::{PlayedWorker, claimed_ids, failed_for_now, succeeded, unstarted};
use conformance::tasks::echo;
use task_backends::{RedisBackend, RedisOptions};
use task_core::{Backends, TaskBackend, TaskId, TaskStatus, enqueue_many_on};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::heals::PATIENCE;
use crate::server::Server;

/// Stands between a backend and its server, and swallows an answer when it is told to.
struct Cutter {
    port: u16,
    swallow: Arc<AtomicBool>,
}

impl Cutter {
    async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let cutter = Self {
            port: listener.local_addr().expect("it listens").port(),
            swallow: Arc::new(AtomicBool::new(false)),
        };
        let (swallow, port) = (cutter.swallow.clone(), server.port);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, port, swallow.clone()));
            }
        });
        cutter
    }

    /// The answer to the next script comes to nobody.
    fn swallow_the_next_answer(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }

    fn has_swallowed(&self) -> bool {
        !self.swallow.load(Ordering::SeqCst)
    }
}

async fn pass_on(mut client: TcpStream, port: u16, swallow: Arc<AtomicBool>) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let question = &asked[..read];
                let is_script = question.windows(7).any(|word| word == b"EVALSHA");
                if server.write_all(question).await.is_err() { return }
                if is_script && swallow.swap(false, Ordering::SeqCst) {
                    // It was run: the answer is there, and the connection ends with it.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_run_and_not_answered_is_not_run_twice() {
    let server = Server::start(&[]);
    let cutter = Cutter::before(&server).await;
    let options = RedisOptions::from_url(&format!("redis://127.0.0.1:{}/", cutter.port)).expect("an address");
    let backend: Arc<dyn TaskBackend> = Arc::new(RedisBackend::open(options).await.expect("opened"));
    let backends = Backends::single(backend.clone());
    // Every script is known to the server, so that each question is asked once.
    let worker = PlayedWorker::join(&backend, "w", PATIENCE).await;
    let calls = || (0..3).map(|_| echo::new("x")).collect();
    enqueue_many_on(calls(), &backends).await.expect("accepted");
    let mut claimed = worker.claim(3).await;
    worker
        .give_back(vec![unstarted(claimed.pop().expect("three"))])
        .await;
    let ends = claimed.into_iter().map(|task| succeeded(task, "1")).collect();
    worker.finish(ends).await;
    let all = async || -> u64 {
        let counts = backend
            .admin()
            .expect("the operator's face")
            .counts()
            .await
            .expect("counted");
        counts.iter().map(|count| count.tasks).sum()
    };
    assert_eq!(all().await, 3);

    cutter.swallow_the_next_answer();
    let results = enqueue_many_on(calls(), &backends)
        .await
        .expect("accepted all the same");
    assert!(cutter.has_swallowed());
    assert_eq!(all().await, 6, "stored once");

    cutter.swallow_the_next_answer();
    let mut claimed = worker.claim(10).await;
    assert!(cutter.has_swallowed());
    let mut expected: Vec<TaskId> = results.iter().map(|result| result.id()).collect();
    assert_eq!(
        claimed_ids(&claimed)[1..],
        expected,
        "what was taken the first time"
    );

    cutter.swallow_the_next_answer();
    worker.give_back(vec![unstarted(claimed.remove(0))]).await;
    assert!(cutter.has_swallowed());
    assert_eq!(worker.claim(10).await.len(), 1, "it came back once");

    cutter.swallow_the_next_answer();
    let retry = failed_for_now(claimed.remove(0), "not yet", PATIENCE);
    let ends = claimed.into_iter().map(|task| succeeded(task, "2"));
    let refused = worker.tell(ends.chain([retry]).collect()).await;
    assert!(cutter.has_swallowed());
    assert_eq!(refused, [], "they were told already, and that is no refusal");
    let retried = backend
        .find(expected.remove(0))
        .await
        .expect("asked")
        .expect("it is there");
    assert_eq!((retried.status, retried.errors.len()), (TaskStatus::Ready, 1));
    for id in expected {
        let found = backend.find(id).await.expect("asked").expect("it is there");
        assert_eq!(found.status, TaskStatus::Successful);
    }
    backend.close().await;
}
