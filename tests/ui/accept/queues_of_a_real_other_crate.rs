//! The list of queues is another crate's; declaring a queue there cures what
//! `refuse/unknown_queue_of_another_crate.rs` shows.

pub use conformance::{__TASK_QUEUES, queues};

mod books {
    #[task_core::task(queue = "sums")]
    pub async fn close(year: u32) -> u32 {
        year
    }
}

fn main() {
    drop(books::close::enqueue(2026));
    assert_eq!(queues::SUMS.name(), "sums");
}
