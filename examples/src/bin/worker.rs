//! The worker binary of the example application: this one line, and all of `worker --help`.

task_worker::worker! { tasks = [examples] }
