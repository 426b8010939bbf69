//! A master of a cluster is killed and its replica takes over.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::played_worker::{PlayedWorker, succeeded};
use conformance::tasks::echo;
use task_backends::{RedisBackend, RedisOptions};
use task_core::{NewTask, Task as _, TaskBackend, TaskId, TaskStatus};

use crate::server::{Server, until};

/// Far longer than a replica takes to be elected.
const PATIENCE: Duration = Duration::from_secs(90);

/// Three masters with a replica each.
fn cluster() -> Vec<Server> {
    let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500"];
    let servers: Vec<Server> = (0..6).map(|_| Server::start(&settings)).collect();
    let addresses = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
    let mut join = Command::new("redis-cli");
    join.args(["--cluster", "create"]).args(addresses);
    join.args(["--cluster-replicas", "1", "--cluster-yes"]);
    let output = join.output().expect("`redis-cli` is on the path");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    for server in &servers {
        let mut connection = server.connection();
        until("all replicas are in step", || {
            let ask = |words: &[&str], connection: &mut redis::Connection| {
                let answer: redis::RedisResult<String> =
                    redis::cmd(words[0]).arg(&words[1..]).query(connection);
                answer.unwrap_or_default()
            };
            let nodes = ask(&["CLUSTER", "NODES"], &mut connection);
            let replication = ask(&["INFO", "replication"], &mut connection);
            ask(&["CLUSTER", "INFO"], &mut connection).contains("cluster_state:ok")
                && nodes.lines().filter(|line| line.contains("slave")).count() == 3
                && (replication.contains("master_link_status:up") || replication.contains("state=online"))
        });
    }
    servers
}

fn in_queue(number: usize) -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: echo::ENTRY.name().into(),
        queue: format!("q-{number}").into(),
        priority: 0,
        run_after: None,
        arguments: r#"{"text":"x"}"#.into(),
        policy: task_core::RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_and_replicated_survives_the_end_of_a_master() {
    let mut servers = cluster();
    let urls: Vec<String> = servers.iter().map(Server::url).collect();
    let options = RedisOptions::from_url(&urls.join(",")).expect("addresses");
    let backend: Arc<dyn TaskBackend> = Arc::new(RedisBackend::open(options).await.expect("opened"));
    let worker = PlayedWorker::join(&backend, "w", 10 * PATIENCE).await;
    let mut accepted = BTreeSet::new();
    for _ in 0..20 {
        let records = backend
            .enqueue((0..30).map(in_queue).collect())
            .await
            .expect("accepted");
        accepted.extend(records.iter().map(|record| record.id));
    }
    // Some are finished, some are held, the others wait.
    let claimed = worker.claim(100).await;
    let (ended, held) = (claimed.into_iter(), worker.claim(100).await);
    worker
        .finish(ended.map(|task| succeeded(task, "1")).collect())
        .await;
    for server in &servers {
        // On a replica this is refused, which is as well.
        let _: redis::RedisResult<i64> = redis::cmd("WAIT")
            .arg(&[1, 5_000])
            .query(&mut server.connection());
    }
    servers[0].kill();
    let began = Instant::now();
    while backend
        .enqueue((0..30).map(in_queue).collect())
        .await
        .map(|records| {
            accepted.extend(records.iter().map(|record| record.id));
        })
        .is_err()
    {
        assert!(began.elapsed() < PATIENCE, "no replica took over");
    }
    worker
        .finish(held.into_iter().map(|task| succeeded(task, "2")).collect())
        .await;
    loop {
        let claimed = worker.claim(100).await;
        if claimed.is_empty() {
            break;
        }
        worker
            .finish(claimed.into_iter().map(|task| succeeded(task, "3")).collect())
            .await;
    }
    for id in accepted {
        let found = backend.find(id).await.expect("it can be read");
        assert_eq!(found.expect("it is there").status, TaskStatus::Successful);
    }
    // The old master comes back as a replica, and nobody notices.
    servers[0].start_again();
    let records = backend.enqueue(vec![in_queue(0)]).await.expect("accepted");
    assert_eq!(worker.claim_one().await.record.id, records[0].id);
    backend.close().await;
}
