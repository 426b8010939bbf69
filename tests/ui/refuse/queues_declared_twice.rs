task_core::queues! { default }
task_core::queues! { special }

fn main() {}
