//! `crate = ..` where `task_core` goes by another name.

extern crate task_core as renamed;

renamed::queues! { crate = renamed; default, special }

mod mail {
    #[renamed::task(crate = renamed, queue = "special", takes_context)]
    pub async fn send(context: renamed::TaskContext, to: String) -> Result<String, std::io::Error> {
        drop(context);
        Ok(to)
    }
}

mod reexported {
    pub mod tasks {
        pub use task_core::*;
    }

    #[tasks::task(crate = crate::reexported::tasks, queue = crate::queues::DEFAULT)]
    pub fn ping() {}

    #[tasks::task(crate = tasks)]
    pub fn pong() {}
}

fn main() {
    drop(mail::send::enqueue("Ada"));
    drop(reexported::ping::enqueue());
    drop(reexported::pong::enqueue());
}
