//! `prune` of very many tasks.

use super::run_all;
use crate::system::{PATIENCE, Place, Signal};

/// How many tasks one of its transactions looks at.
const CHUNK: u32 = 1_000;

#[tokio::test]
async fn prune_deletes_in_chunks_each_durable_by_itself() {
    let place = Place::new().await;
    place.enqueue_records(3 * CHUNK + 500).await;
    run_all(&place).await;
    let mut sql = place.sql().await;
    // Whoever stops in the third chunk has deleted two.
    sql.run("CREATE TRIGGER stop BEFORE DELETE ON result WHEN old.seq = 2500 BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    place.run(&["prune", "--min-age", "0s"]).await.exits_with(1);
    let left = sql.number("SELECT count(*) FROM task").await;
    assert_eq!(left, i64::from(CHUNK + 500));
    sql.run("DROP TRIGGER stop").await;
    let said = place.run(&["prune", "--min-age", "0s"]).await.exits_with(0);
    assert_eq!(said.line(), format!("deleted {left} tasks"));
    assert_eq!(sql.number("SELECT count(*) FROM task").await, 0);
    sql.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_while_very_many_are_pruned() {
    let place = Place::new().await;
    place.enqueue_records(10 * CHUNK).await;
    run_all(&place).await;
    let mut worker = place.worker("worker", &["--lease", "10m"]);
    place.workers_join(1).await;
    let prune = ["prune", "--min-age", "0s"];
    let (said, ids) = tokio::join!(place.run(&prune), place.enqueue_records(2 * CHUNK));
    assert!(said.exits_with(0).line().starts_with("deleted 1"));
    place.all_end().await;
    let mut sql = place.sql().await;
    let ran = sql.number("SELECT count(*) FROM result").await;
    sql.close().await;
    assert!(
        ran <= i64::from(2 * CHUNK),
        "only what was enqueued meanwhile may be left: {ran}"
    );
    assert_eq!(place.ledger().read().tasks(), 10 * CHUNK as usize + ids.len());
    assert_eq!(place.ledger().read().most(), 1);
    worker.send(Signal::TERM);
    assert_eq!(worker.exits_within(PATIENCE).await, 0);
    place.assert_clean().await;
}
