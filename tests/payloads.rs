//! Arguments and return values: every value that is accepted comes back, and a task that was
//! queued before its definition changed still runs.

#[path = "payloads/changes.rs"]
mod changes;
#[path = "payloads/property.rs"]
mod property;
