task_core::queues! { default, "high-priority" }

mod mail {
    pub mod outgoing {
        #[task_core::task(queue = "hihg-priority")]
        pub async fn send(to: String) -> String {
            to
        }
    }
}

fn main() {
    drop(mail::outgoing::send::enqueue("Ada"));
}
