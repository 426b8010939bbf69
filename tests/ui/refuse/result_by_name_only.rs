use task_core::task;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct CheckResult {
    pub ok: bool,
}

#[task]
pub async fn check(name: String) -> CheckResult {
    CheckResult { ok: name.is_empty() }
}

fn main() {
    drop(check::enqueue("Ada"));
}
