//! The PostgreSQL backend behind PgBouncer in transaction mode: the suite, with `notify = false`.

use std::sync::Arc;

use conformance::{Fixture, Store, conformance};

mod servers;

use servers::postgres::Place;

struct Pooled;

impl Fixture for Pooled {
    async fn fresh() -> Store {
        let place = Arc::new(Place::on(servers::server("TEST_PGBOUNCER_URL")));
        let options = place.options().notify(false);
        place.store_with(options).await
    }
}

conformance!(Pooled: producer, keeper, worker, operator, durable);
