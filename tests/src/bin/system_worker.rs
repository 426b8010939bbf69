//! The worker that the tests with real processes start and kill: the one that `worker!` writes.

task_worker::worker! { tasks = [conformance::executions] }
