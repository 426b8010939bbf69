//! Tasks written by a macro of the user's own.

use task_core::{Task, task};

macro_rules! tasks {
    ($($name:ident($argument:ident: $ty:ty) -> $output:ty, $queue:literal;)*) => {$(
        #[task(queue = $queue, crate = $crate::inner::tasks)]
        pub async fn $name($argument: $ty) -> $output {
            $argument.into()
        }
    )*};
}

pub mod inner {
    pub use task_core as tasks;
}

task_core::queues! { default, special }

tasks! {
    send(to: String) -> String, "special";
    count(number: Option<u32>) -> Option<u32>, "default";
    widen(number: u32) -> u64, "default";
}

fn main() {
    drop(send::new("Ada"));
    drop(count::new(3));
    drop(widen::new(3));
    assert_eq!(send::ENTRY.default_queue(), "special");
}
