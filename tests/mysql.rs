//! The MySQL backend: the suite, what both servers of SQL do, and what is its own.

use std::sync::Arc;

use conformance::{Fixture, Store, conformance};

mod servers;

use servers::mysql as place;

#[path = "servers/cases/opening.rs"]
mod opening;
#[path = "servers/cases/server.rs"]
mod server;
#[path = "servers/cases/transaction.rs"]
mod transaction;
#[path = "servers/cases/view.rs"]
mod view;

struct Database;

impl Fixture for Database {
    async fn fresh() -> Store {
        Arc::new(place::Place::new().await).store().await
    }
}

conformance!(Database: producer, keeper, worker, operator, durable);
