use task_core::task;

#[task(every = "5m", cron = "0 3 * * *")]
pub async fn both() {}

#[task(timezone = "Europe/Berlin")]
pub async fn zone_alone() {}

#[task(every = "5m", timezone = "Europe/Berlin")]
pub async fn zone_of_a_span() {}

#[task(missed = "all")]
pub async fn missed_alone() {}

#[task(every = 5)]
pub async fn without_quotes() {}

#[task(cron = "@daily")]
pub async fn with_an_argument(day: String) {
    drop(day);
}

fn main() {}
