//! The commands on MySQL and MariaDB.

use crate::servers::mysql as place;

#[allow(clippy::duplicate_mod, reason = "one set of cases for both servers")]
#[path = "on_servers.rs"]
mod commands;
