//! The Redis backend on a cluster: the suite, and what is its own.

use conformance::{Fixture, Store, conformance};

mod servers;

#[path = "redis_cluster/failover.rs"]
mod failover;
#[path = "redis/server.rs"]
mod server;
#[path = "redis_cluster/staged.rs"]
mod staged;

use place::{CLUSTER, Place};
use servers::redis as place;

struct Cluster;

impl Fixture for Cluster {
    async fn fresh() -> Store {
        Place::store(CLUSTER).await
    }
}

conformance!(Cluster: producer, keeper, worker, operator, durable);
