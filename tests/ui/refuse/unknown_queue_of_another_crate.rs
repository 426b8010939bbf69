// The list of queues is another crate's.
pub use conformance::{__TASK_QUEUES, queues};

mod books {
    #[task_core::task(queue = "sum")]
    pub async fn close(year: u32) -> u32 {
        year
    }
}

fn main() {
    drop(books::close::enqueue(2026));
}
