//! The Redis backend on a single server: the suite, and what is its own.

use conformance::{Fixture, Store, conformance};

#[path = "redis/cut.rs"]
mod cut;
#[path = "redis/heals.rs"]
mod heals;
#[path = "redis/opening.rs"]
mod opening;
#[path = "redis/place.rs"]
mod place;
#[path = "redis/server.rs"]
mod server;

use place::Place;

/// Where the tests find the server.
const SERVER: &str = "TEST_REDIS_URL";

struct SingleServer;

impl Fixture for SingleServer {
    async fn fresh() -> Store {
        Place::store(SERVER).await
    }
}

conformance!(SingleServer: producer, keeper, worker, operator, durable);
