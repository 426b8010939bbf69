//! The Redis backend on a single server: the suite, and what is its own.

use conformance::{Fixture, Store, conformance};

mod servers;

#[path = "redis/cut.rs"]
mod cut;
#[path = "redis/damage.rs"]
mod damage;
#[path = "redis/heals.rs"]
mod heals;
#[path = "redis/opening.rs"]
mod opening;
#[path = "redis/server.rs"]
mod server;

use place::{Place, SERVER};
use servers::redis as place;

struct SingleServer;

impl Fixture for SingleServer {
    async fn fresh() -> Store {
        Place::store(SERVER).await
    }
}

conformance!(SingleServer: producer, keeper, worker, operator, durable);
