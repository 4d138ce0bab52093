//! What must be executed to be known is executed in a copy on a private server: triggers, their side effects, the switch.

pub(crate) mod sample_copy;
pub(crate) mod switch_test;
pub(crate) mod trigger_body;
pub(crate) mod trigger_test;
