//! A worker inside this process: what it runs, in which order, how many at a time, and what
//! becomes of tasks that fail, take too long, are canceled or cannot be read.

mod system;

#[path = "worker/attempts.rs"]
mod attempts;
#[path = "worker/cancel.rs"]
mod cancel;
#[path = "worker/keep.rs"]
mod keep;
#[path = "worker/limits.rs"]
mod limits;
#[path = "worker/order.rs"]
mod order;
#[path = "worker/poison.rs"]
mod poison;
#[path = "worker/refusals.rs"]
mod refusals;
#[path = "worker/rejoin.rs"]
mod rejoin;
#[path = "worker/share.rs"]
mod share;
#[path = "worker/signals.rs"]
mod signals;
#[path = "worker/stage.rs"]
mod stage;
#[path = "worker/start.rs"]
mod start;
#[path = "worker/tasks.rs"]
mod tasks;
#[path = "worker/unheard.rs"]
mod unheard;
