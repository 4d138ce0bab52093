//! Where a switchover is rehearsed.

use crate::engine::model::error::Result;
use crate::engine::model::task::{Play, Played};
use crate::engine::port::reader::Fut;

/// Plays switchovers through in copies.
pub trait Stage: Send + Sync {
    /// Copies, switches, writes, takes back.
    fn rehearse<'a>(&'a self, play: &'a Play) -> Fut<'a, Result<Played>>;
}
