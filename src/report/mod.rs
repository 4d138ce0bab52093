//! Engine data to bytes: one file per format. Nothing here looks at a database or a terminal.

pub mod json;
pub mod table;
pub mod text;
