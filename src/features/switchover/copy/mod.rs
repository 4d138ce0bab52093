//! What is executed in a copy to be known.

pub(crate) mod sample_copy;
pub(crate) mod switch_test;
pub(crate) mod trigger_body;
pub(crate) mod trigger_test;
