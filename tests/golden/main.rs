//! What an earlier build wrote stays readable: a packed data directory, plan files, key and journal copy of then.
//!
//! `make.rs` made them (`make golden`); every later build must verify, resume and undo what is in them.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../faults/program.rs"]
mod program;

mod cluster;
mod home;
mod kept;
mod make;
mod state;
