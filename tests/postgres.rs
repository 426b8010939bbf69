//! The PostgreSQL backend: the suite, what both servers of SQL do, and what is its own.

use std::sync::Arc;

use conformance::{Fixture, Store, conformance};

mod servers;

use place::Place;
use servers::{PATIENCE, new_task, postgres as place};

#[path = "postgres/listener.rs"]
mod listener;
#[path = "servers/cases/opening.rs"]
mod opening;
#[path = "servers/cases/server.rs"]
mod server;
#[path = "servers/cases/transaction.rs"]
mod transaction;
#[path = "postgres/unheard.rs"]
mod unheard;
#[path = "servers/cases/view.rs"]
mod view;

struct Schema;

impl Fixture for Schema {
    async fn fresh() -> Store {
        Arc::new(Place::new().await).store().await
    }
}

conformance!(Schema: producer, keeper, worker, operator, durable);

/// The same without notifications and prepared statements, as behind a pooler.
mod without_a_session {
    use super::*;

    struct Sessionless;

    impl Fixture for Sessionless {
        async fn fresh() -> Store {
            let place = Arc::new(Place::new().await);
            let options = place.options().notify(false);
            place.store_with(options).await
        }
    }

    conformance!(Sessionless: producer, keeper, worker, operator, durable);
}
