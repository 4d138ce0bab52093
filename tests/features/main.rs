//! Every feature through the real program and engine against a real server: checks find exactly what is planted; operations
//! are planned, refused, applied, verified, undone. A folder per feature of `src/features`; `engine` is what all share.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../cli/schema.rs"]
mod schema;
mod world;

mod anomalies;
mod backfill;
mod engine;
mod migrations;
mod parity;
mod planted;
mod queue;
mod roles;
mod switchover;
