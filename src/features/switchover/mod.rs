//! A legacy table and its partitioned twin change places, and back.

pub mod copy;
pub(crate) mod limits;
pub mod ops;
pub mod plan;
pub mod preflight;
pub mod status;
pub(crate) mod twins;
