//! An empty list compiles; it is the worker that refuses.

mod cli {
    pub fn worker_main(crates: &[&str]) -> std::process::ExitCode {
        assert!(crates.is_empty());
        std::process::ExitCode::SUCCESS
    }
}

task_worker::worker! { tasks = [], cli = crate::cli }
