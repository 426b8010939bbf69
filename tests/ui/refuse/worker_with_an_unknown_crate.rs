mod cli {
    pub fn worker_main(_: &[&str]) -> std::process::ExitCode {
        std::process::ExitCode::SUCCESS
    }
}

task_worker::worker! { tasks = [ap], cli = cli }
