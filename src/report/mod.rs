//! Engine data to bytes: one file per format. Nothing here looks at a database or a terminal.

mod change;
pub mod entry;
pub mod json;
pub mod logs;
pub mod table;
pub mod text;
