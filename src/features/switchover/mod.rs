//! A legacy table and its partitioned twin change places, and back.

pub mod copy;
pub mod ops;
pub mod plan;
pub mod preflight;
pub(crate) mod renames;
pub mod status;
pub mod swaps;
pub(crate) mod twins;
