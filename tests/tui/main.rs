//! The console: its state, its pictures, its loop, and the real binary in a real terminal.
#![cfg(test)]
#![cfg(feature = "tui")]

#[path = "../common/mod.rs"]
mod common;
mod fake;
mod looks;
mod made;
mod maintenance;
mod moments;
mod pictures;
mod pictures_of_runs;
mod pty;
mod real;
mod real_looks;
mod real_room;
mod room;
mod room_parts;
mod runs;
mod sight;
#[path = "../../examples/screens/svg.rs"]
mod svg;
mod update;
