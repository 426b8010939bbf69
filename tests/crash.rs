//! Whatever dies, at whatever moment: no task is lost, none runs more often than workers
//! were lost under it, and the file stays sound.
//!
//! Real processes are killed with SIGKILL and stopped with SIGSTOP, at moments chosen by
//! what they have done so far. Every execution is a line in a ledger outside the store.

mod system;

#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/outage.rs"]
mod outage;
#[path = "crash/producer.rs"]
mod producer;
#[path = "crash/rescue.rs"]
mod rescue;
#[path = "crash/stopped.rs"]
mod stopped;
