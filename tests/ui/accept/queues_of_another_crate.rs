//! A list may stand elsewhere and be taken over at the crate root.

mod shared {
    task_core::queues! { default, special }
}

pub use shared::{__TASK_QUEUES, queues};

mod mail {
    #[task_core::task(queue = "special")]
    pub async fn send(to: String) -> String {
        to
    }
}

fn main() {
    drop(mail::send::enqueue("Ada"));
    assert_eq!(queues::SPECIAL.name(), "special");
}
