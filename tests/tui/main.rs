//! The console: its state, its pictures, its loop, and the real binary in a real terminal.
#![cfg(test)]
#![cfg(feature = "tui")]

mod asked_checks;
#[path = "../common/mod.rs"]
mod common;
mod fake;
mod first_look;
mod fuzz;
mod handmade;
mod maintenance;
mod pictures;
mod pictures_of_runs;
mod pty;
mod real;
mod real_asked_checks;
mod real_room;
mod room;
mod room_parts;
mod runs;
#[path = "../../examples/screens/svg.rs"]
mod svg;
mod switchover_moments;
mod update;
