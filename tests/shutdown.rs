//! How a worker ends: politely at the first signal, by force at the second, by itself when
//! it was told to, and always with every task where it belongs.

mod system;

#[path = "shutdown/forced.rs"]
mod forced;
#[path = "shutdown/by_itself.rs"]
mod itself;
#[path = "shutdown/often.rs"]
mod often;
#[path = "shutdown/polite.rs"]
mod polite;
