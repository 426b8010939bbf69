//! The worker is told which crates it was given, each once, and its own.

mod cli {
    pub fn worker_main(crates: &[&str]) -> std::process::ExitCode {
        assert_eq!(crates, ["serde", "tokio", module_path!().trim_end_matches("::cli")]);
        std::process::ExitCode::SUCCESS
    }
}

task_worker::worker! { tasks = [serde, tokio::time, tokio::task, crate], cli = cli }
