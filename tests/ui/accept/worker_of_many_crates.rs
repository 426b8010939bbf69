//! The worker is told which crates it was given, each once, and its own.

mod cli {
    pub fn worker_main(crates: &[&str]) -> std::process::ExitCode {
        assert_eq!(crates, ["serde", "tokio", "worker_of_many_crates"]);
        std::process::ExitCode::SUCCESS
    }
}

task_worker::worker! { tasks = [serde, tokio::time, tokio::task, crate], cli = cli }
