//! The commands on PostgreSQL.

use crate::servers::postgres as place;

#[allow(clippy::duplicate_mod, reason = "one set of cases for both servers")]
#[path = "on_servers.rs"]
mod commands;
