//! A producer to be killed: several callers enqueue one task after the other, and each id
//! is printed once its enqueue returned.

use std::io::{self, Write as _};

use conformance::executions::record;

/// How many enqueue at a time, so that their commits are shared.
const CALLERS: u32 = 8;

#[tokio::main]
async fn main() -> task_core::Result<()> {
    task_backends::init().await?;
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(enqueue_for_ever())).collect();
    for caller in callers {
        if let Ok(Err(error)) = caller.await {
            return Err(error);
        }
    }
    Ok(())
}

async fn enqueue_for_ever() -> task_core::Result<()> {
    for number in 0.. {
        let id = record::enqueue(number).await?.id();
        // One call for the whole line: a killed process leaves no half of one behind others.
        let line = format!("{id}\n");
        if io::stdout().lock().write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    Ok(())
}
