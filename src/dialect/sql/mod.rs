//! What dialects of SQL share.

pub(crate) mod script;
