//! Attacks on the console and on who works with it, each tried for real: what a table's owner, a repository, a server or a
//! file of others could do at commit 4eabe32 stands in a comment of its test, and the test looks for the trace of the attack
//! (a program that ran, a file that was written, a session that ended), not for our message.

#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;

mod clear_text;
mod config;
mod copy_on_full_disk;
mod desk;
mod files;
mod forged_entries;
mod forger;
mod fuzz;
mod intruder;
mod journal;
mod journal_moved;
mod journal_schema;
mod journal_state;
mod keys;
mod late_resume;
mod least_privilege;
mod limits;
mod network;
mod not_utf8;
mod owners;
mod parameters;
#[cfg(feature = "tui")]
mod pasting;
mod planted;
#[expect(dead_code, reason = "what the tests of faults have for more")]
#[path = "../faults/program.rs"]
mod program;
mod resume;
mod rogue_server;
mod roles;
mod sandbox;
mod secrets;
#[expect(dead_code, reason = "what the tests of faults have for more")]
#[path = "../faults/servers.rs"]
mod servers;
mod sockets;
mod terminal;
mod tls;
mod tls_server;
mod trust;
#[expect(dead_code, reason = "what the tests of faults have for more")]
#[path = "../faults/world.rs"]
mod world;
