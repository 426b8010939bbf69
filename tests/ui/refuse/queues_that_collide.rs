task_core::queues! {
    default,
    default,
    "high-priority",
    high_priority,
    "",
    " late",
    5,
}

fn main() {
    let _ = queues::DEFAULT;
}
