//! A call with tasks on several shards whose process died in the middle of it.

use redis::Commands as _;
use redis::cluster::{ClusterClient, ClusterConnection};
use task_core::{NewTask, RetryPolicy, TaskBackend as _, TaskId, TaskQueue as _, TaskStatus};

use crate::CLUSTER;
use crate::place::Place;

fn in_queue(queue: &str) -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: "app::task".into(),
        queue: queue.into(),
        priority: 0,
        run_after: None,
        arguments: "{}".into(),
        policy: RetryPolicy::DEFAULT,
        metadata: None,
        unique: None,
    }
}

/// Stages a twin of a stored task as a process does that dies before it says whether the call counts, two
/// minutes ago. Returns its id.
fn stage(outside: &mut ClusterConnection, prefix: &str, stored: TaskId, transaction: &str) -> TaskId {
    let twin = TaskId::new();
    let shard = (0..16)
        .map(|shard| format!("{{{prefix}:{shard}}}"))
        .find(|shard| {
            let key = format!("{shard}:task");
            outside.hexists(key, stored.as_bytes()).expect("asked")
        })
        .expect("it is on one of them");
    let script = redis::Script::new(
        "local body = string.sub(redis.call('HGET', KEYS[1] .. ':task', ARGV[1]), 17)
         local time = redis.call('TIME')
         local now = string.format('%.0f', time[1] * 1000000 + time[2])
         local first = struct.pack('>I8I4', 1000000, 0)
         local what = { '=' .. now, ARGV[3], '', first, '1', '0', 'q\\31app::task', '1', '1', ARGV[2], body, '1' }
         redis.call('HSET', KEYS[1] .. ':staged', ARGV[3], cmsgpack.pack(what))
         redis.call('ZADD', KEYS[1] .. ':stages', time[1] * 1000000 - 120000000, ARGV[3])",
    );
    let mut call = script.key(shard);
    call.arg(stored.as_bytes()).arg(twin.as_bytes()).arg(transaction);
    let () = call.invoke(outside).expect("staged");
    twin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_process_died_counts_exactly_when_that_was_decided() {
    let place = Place::new(CLUSTER);
    let backend = place.open().await;
    let stored = in_queue("q");
    let id = stored.id;
    // Of two queues on different shards, so that the call itself goes the long way.
    let others = (0..40).map(|number| in_queue(&format!("other-{number}")));
    backend
        .enqueue([stored].into_iter().chain(others).collect())
        .await
        .expect("accepted");
    let nodes: Vec<&str> = place.url.split(',').collect();
    let client = ClusterClient::new(nodes).expect("addresses");
    let mut outside = client.get_connection().expect("the cluster answers");

    let counts = stage(&mut outside, &place.prefix, id, "decided");
    let drops = stage(&mut outside, &place.prefix, id, "undecided");
    let home = format!("{{{}:0}}:transaction:", place.prefix);
    let () = outside.set(format!("{home}decided"), "yes").expect("decided");
    for twin in [counts, drops] {
        assert_eq!(backend.find(twin).await.expect("asked"), None, "not yet");
    }
    backend.rescue(100).await.expect("rescuing settles it");
    let found = backend.find(counts).await.expect("asked").expect("it counts");
    assert_eq!(found.status, TaskStatus::Ready);
    assert_eq!(backend.find(drops).await.expect("asked"), None);
    // Whoever was only slow and comes now is told that it is too late.
    let said: String = outside.get(format!("{home}undecided")).expect("said");
    assert_eq!(said, "no");
    backend.rescue(100).await.expect("nothing is left to settle");
    backend.close().await;
}
