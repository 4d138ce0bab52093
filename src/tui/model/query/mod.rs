//! What can be asked of the state, by subject. Each file adds to [`Model`](super::Model).

mod asked_check;
mod confirm;
mod journal;
mod navigate;
mod offers;
mod overlay;
mod plan;
mod ready;
mod run;
mod state;
mod switchover;
