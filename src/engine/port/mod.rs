//! What the engine needs from outside, as traits.

pub mod copies;
pub mod evidence;
pub mod reader;
pub mod writer;
