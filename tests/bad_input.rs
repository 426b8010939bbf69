//! x
mod system;
