//! The Redis backend on a cluster: the suite, and what is its own.

use conformance::{Fixture, Store, conformance};

#[path = "redis_cluster/failover.rs"]
mod failover;
#[path = "redis/place.rs"]
mod place;
#[path = "redis/server.rs"]
mod server;
#[path = "redis_cluster/staged.rs"]
mod staged;

use place::Place;

/// Where the tests find the cluster.
const CLUSTER: &str = "TEST_REDIS_CLUSTER_URL";

struct Cluster;

impl Fixture for Cluster {
    async fn fresh() -> Store {
        Place::store(CLUSTER).await
    }
}

conformance!(Cluster: producer, keeper, worker, operator, durable);
