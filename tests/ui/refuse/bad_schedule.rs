use task_core::task;

#[task(every = "5 minutes")]
pub async fn spelt_out() {}

#[task(every = "500ms")]
pub async fn too_often() {}

#[task(cron = "0 24 * * *")]
pub async fn no_such_hour() {}

#[task(cron = "0 3 * * MOM-FRI")]
pub async fn no_such_day() {}

#[task(cron = "0 0 3 * * *")]
pub async fn with_seconds() {}

#[task(cron = "0 3 31 2 *")]
pub async fn never() {}

#[task(cron = "@dayly")]
pub async fn misspelt() {}

#[task(cron = "0 3 * * *", timezone = "Europe/Berln")]
pub async fn no_such_zone() {}

#[task(cron = "0 3 * * *", missed = "some")]
pub async fn no_such_policy() {}

fn main() {}
