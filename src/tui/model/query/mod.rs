//! What can be asked of the state, by subject. Each file adds to [`Model`](super::Model).

mod confirm;
mod journal;
mod look;
mod navigate;
mod offers;
mod overlay;
mod plan;
mod ready;
mod run;
mod state;
mod switchover;
