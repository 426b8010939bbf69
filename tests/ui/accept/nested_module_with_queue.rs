//! The list of the crate root is found from everywhere.

task_core::queues! { default, special }

mod mail {
    pub mod outgoing {
        use task_core::task;

        #[task(queue = "special")]
        pub async fn send(to: String) -> String {
            to
        }

        #[task(queue = crate::queues::DEFAULT)]
        pub(super) async fn resend(to: String) -> String {
            to
        }
    }

    pub fn again(to: &str) {
        drop(outgoing::resend::enqueue(to));
    }
}

fn main() {
    drop(mail::outgoing::send::enqueue("Ada"));
    mail::again("Ada");
}
