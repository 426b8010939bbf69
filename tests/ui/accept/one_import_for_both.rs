//! The function and the task have one name: one `use` brings both.

mod mail {
    #[task_core::task]
    pub async fn send(to: String) -> String {
        to
    }

    #[task_core::task]
    pub async fn ping() {}
}

use mail::{ping, send as post};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(post("Ada".to_owned()).await, "Ada");
    drop(post::enqueue("Ada"));
    let post { to } = post { to: "Ada".to_owned() };
    drop(task_core::TaskCall::new(post { to }));
    ping().await;
    drop(ping::enqueue());
}
