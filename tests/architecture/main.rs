//! The layers and habits that no compiler checks.
//!
//! A fence holds a rule for all of `src`, some for all Rust. There are no exceptions: every breach fails.

#![cfg(test)]

mod breaches;
mod codes;
mod collect;
mod cycles;
mod decisions;
mod dependencies;
mod files;
mod graph;
mod habits;
mod layers;
mod lints;
mod methods;
mod names;
mod operators;
mod quoting;
mod registered;
mod sources;
mod sql;
mod statements;
mod verbs;
mod workflow;
