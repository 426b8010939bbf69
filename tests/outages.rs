//! The store goes away and comes back, connections are cut or fall silent: workers stay, tasks go on at
//! the full rate within seconds, and the ledger is exact.

mod system;

#[path = "outages/back.rs"]
mod back;

#[path = "outages/cut.rs"]
mod cut;
#[path = "outages/held.rs"]
mod held;
#[path = "outages/restart.rs"]
mod restart;
#[path = "outages/run.rs"]
mod run;
#[path = "outages/silence.rs"]
mod silence;
