//! The conformance suite, as any backend runs it.

use conformance::{Fixture, Store, conformance};
use memory_backend::MemoryBackend;
use task_core::{Clock, Timestamp};

struct Memory;

impl Fixture for Memory {
    async fn fresh() -> Store {
        let clock = Clock::manual(Timestamp::from_second(2_000_000_000).expect("in range"));
        Store::new(MemoryBackend::new().with_clock(clock.clone())).with_clock(clock)
    }
}

conformance!(Memory: producer, keeper, worker, operator);
