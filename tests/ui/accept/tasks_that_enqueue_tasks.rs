//! A task may enqueue itself and others that enqueue it.

use std::time::Duration;

use task_core::{Result, run_after, task};

#[task]
async fn ping(left: u32) -> Result<()> {
    if left > 0 {
        pong::enqueue(left - 1).await?;
        ping::new(left - 1).using(run_after(Duration::from_secs(1))).enqueue().await?;
    }
    Ok(())
}

#[task]
async fn pong(left: u32) -> Result<()> {
    ping::enqueue_many((0..left).map(ping::new)).await?;
    Ok(())
}

fn main() {
    drop(ping::enqueue(3));
}
