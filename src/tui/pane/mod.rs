//! The panes, one per file or folder, named as their feature: a table, and above it a picture of the same rows. They read the model and change nothing.

mod anomalies;
pub mod detail;
pub mod features;
mod migrations;
mod overview;
mod parity;
mod queue;
mod roles;
mod runs;
pub mod shared;
pub mod switchover;

use features::FEATURES;
use shared::Pane;

pub use parity::partitions::list as partition_list;
pub use parity::{head_of as partition_picture, picture_of as twin_picture, rows_of as twin_list};

/// Every pane, in the order of its number: the overview, then the features.
pub const ALL: &[&dyn Pane] = &{
    let mut all: [&dyn Pane; FEATURES.len() + 1] = [&overview::Overview; FEATURES.len() + 1];
    let [_, features @ ..] = &mut all;
    features.copy_from_slice(FEATURES);
    all
};
