mod cli {
    pub fn worker_main(_: &[&str]) -> std::process::ExitCode {
        std::process::ExitCode::SUCCESS
    }
}

mod sums {
    task_worker::worker! { tasks = conformance }
}

mod words {
    task_worker::worker! { tasks = [conformance, conformance], cli = "cli" }
}

task_worker::worker! { tasks = ["conformance"], cli = crate::cli, cli = crate::cli }
