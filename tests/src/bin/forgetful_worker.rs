//! A worker whose author forgot to name the crates that have tasks.

task_worker::worker! { tasks = [] }
