//! What others see of a worker process, and how it behaves in every phase of its life: probes,
//! metrics, systemd, signals, a store that is not there yet.

mod system;

#[path = "lifecycle/http.rs"]
mod http;
#[path = "lifecycle/inside.rs"]
mod inside;
#[path = "lifecycle/probe.rs"]
mod probe;
#[path = "lifecycle/quiet.rs"]
mod quiet;
#[path = "lifecycle/starting.rs"]
mod starting;
#[path = "lifecycle/status.rs"]
mod status;
#[path = "lifecycle/systemd.rs"]
mod systemd;
#[path = "lifecycle/top.rs"]
mod top;
