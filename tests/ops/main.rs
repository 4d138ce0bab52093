//! Guarded operations through the real program against a real server: planned, refused, applied, proved, taken back.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../cli/schema.rs"]
mod schema;
mod world;
mod writers;

mod afterwards;
mod applications;
mod around;
mod blockers;
mod carried;
mod contract;
mod dependants;
mod effects;
mod guards;
mod journal;
mod lost;
mod mirrors;
mod operators;
mod overtaken;
mod owners;
mod parts;
mod requeue;
mod reverse;
mod roundtrips;
mod sessions;
mod stages;
mod stale;
mod stops;
mod switchover;
mod twins;
mod unknowns;
mod verdicts;
mod watch;
