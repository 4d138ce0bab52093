//! The checks on real servers: exactly what is planted is found, whatever the time zone, the version, the traffic.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]

#[path = "../common/mod.rs"]
mod common;

mod exact;
mod histories;
mod names;
mod paging;
mod parity;
mod planted;
mod queue;
mod rehearsal;
mod resumed;
mod seals;
mod self_test;
